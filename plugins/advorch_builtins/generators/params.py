"""The parameters that games of two players share; each method's own stand beside its component."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from advorch.api import Count, Params, Positive

Since = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Conditioning = Literal["none", "concat", "projection", "auxiliary"]

K = Field(description="critic steps before each generator step")
CONDITIONING = Field(
    description="how the critic learns of classes: beside the sample, by a product with its features (projection), "
    "or by naming them (auxiliary)"
)
_OWNERS = {"betas": "adam", "momentum": "sgd"}


class PlayersParams(Params):
    """Two networks and how they learn."""

    network: Annotated[
        Literal["auto", "perceptron", "convolution"],
        Field(description="auto: convolutions for images of at least 16 pixels a side"),
    ] = "auto"
    latent: Annotated[
        Count | None, Field(description="size of the standard normal input; default: the data's, at most 64, or 100")
    ] = None
    hidden: Annotated[
        tuple[Count, ...], Field(min_length=1, description="of perceptrons: widths of both players' hidden layers")
    ] = (128, 128, 128)
    width: Annotated[Count, Field(description="of convolutions: channels of the layer next to the picture")] = 64
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    lr_generator: Positive = 1e-3
    lr_critic: Positive = 1e-3
    betas: Annotated[tuple[Rate, Rate], Field(description="of adam: decay rates, of both players")] = (0.5, 0.9)
    momentum: Annotated[Rate, Field(description="of sgd")] = 0.5
    decay: Annotated[
        Literal["constant", "linear"], Field(description="whether learning rates fall to 0 over the game")
    ] = "constant"
    ema: Annotated[
        Rate, Field(description="decay of the generator's average, whose samples are handed on; 0: none")
    ] = 0.0

    def changed(self, name: str) -> bool:
        """Whether a parameter is other than its default."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @model_validator(mode="after")
    def _nothing_is_idle(self) -> Self:
        for name, owner in _OWNERS.items():
            if self.optimizer != owner and self.changed(name):
                raise ValueError(f"`{name}` belongs to {owner}, and the optimizer is {self.optimizer}")
        return self


class ConditionedParams(PlayersParams):
    """Players that may be told the class of a sample."""

    conditioning: Annotated[Conditioning, CONDITIONING] = "none"


Warmup = Annotated[
    tuple[Count, Since, Since],
    Field(description="[k, first, every]: so many critic steps instead, in the first steps and then at every so many"),
]
