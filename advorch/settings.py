"""The parameters that a stage's host adds to those of the component it adapts."""

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from advorch.params import AttackRef, Count, ModelRef, Natural, NonNegative, Params, PartRef, Positive, Share
from advorch.threat import Norm


class ThreatSettings(Params):
    """What the attacker may change: belongs to the host, wherever an attack is used."""

    epsilon: Annotated[NonNegative, Field(description="size of the ball, in the data's own units")]
    norm: Annotated[Norm, Field(description="how a perturbation is measured")] = Norm.LINF
    targeted: Annotated[bool, Field(description="aim at a drawn wrong class instead of any")] = False


class AttackSettings(ThreatSettings):
    """An attack stage."""

    epsilons: Annotated[
        tuple[NonNegative, ...] | None,
        Field(min_length=1, description="a curve: increasing sizes, the last of which stands for `epsilon`"),
    ] = None
    levels: Annotated[
        Count | None,
        Field(description="round what is found to the box's lowest value plus so many steps, 255 for 8-bit pictures"),
    ] = None
    region: Annotated[
        tuple[Natural, Natural, Count, Count] | None,
        Field(description="[top, left, height, width] in pixels: only there a picture may change"),
    ] = None
    samples: Annotated[Count | None, Field(description="attack only the first so many samples")] = None
    chunk: Annotated[
        Count | None,
        Field(description="samples computed and committed together; by default 4 batches where places are refilled"),
    ] = None
    batch: Annotated[Count, Field(description="rows that the model takes at once")] = 128

    @model_validator(mode="before")
    @classmethod
    def _last_is_epsilon(cls, values: object) -> object:
        """A curve needs no `epsilon` beside it."""
        sizes = values.get("epsilons") if isinstance(values, dict) else None
        if isinstance(values, dict) and isinstance(sizes, list | tuple) and sizes and "epsilon" not in values:
            return values | {"epsilon": sizes[-1]}
        return values

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        """Sizes stand in order, and the last is what the adversarial samples are judged at."""
        sizes = self.epsilons
        if sizes and any(later <= earlier for earlier, later in itertools.pairwise(sizes)):
            raise ValueError(f"`epsilons` must increase: {', '.join(f'{size:g}' for size in sizes)}")
        if sizes and self.epsilon != sizes[-1]:
            raise ValueError(
                f"leave out `epsilon` ({self.epsilon:g}): the last of `epsilons` ({sizes[-1]:g}) stands for it"
            )
        return self


class PerturbationSettings(Params):
    """A stage that fits one perturbation over a data set."""

    target: Annotated[
        int | str | None, Field(description="the class, by number or name, that every sample is to be taken for")
    ] = None
    source: Annotated[
        int | str | None, Field(description="the class, by number or name, whose samples alone are fitted on")
    ] = None
    steps: Annotated[Count, Field(description="minibatches at most")] = 1000
    batch: Annotated[Count, Field(description="samples of a minibatch")] = 64
    samples: Annotated[Count | None, Field(description="fit on only the first so many samples")] = None
    checkpoint_every: Annotated[Count, Field(description="minibatches between checkpoints")] = 100


Below = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(Params):
    """How weights are updated."""

    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adam"
    lr: Positive = 1e-3
    momentum: Annotated[Share, Field(description="of sgd")] = 0.9
    dampening: Annotated[
        Share, Field(description="of sgd: the share of a gradient that its momentum leaves out; 0.9 makes it a mean")
    ] = 0.0
    nesterov: Annotated[bool, Field(description="of sgd: look ahead; takes momentum and no dampening")] = False
    betas: Annotated[
        tuple[Below, Below], Field(description="of adam and adamw: how much of the two means each step keeps")
    ] = (0.9, 0.999)
    weight_decay: NonNegative = 0.0
    schedule: Literal["constant", "cosine", "step", "cyclic", "exponential"] = "constant"
    milestones: Annotated[
        tuple[Share, ...], Field(description="shares of training at which `step` divides lr by 10")
    ] = (
        0.5,
        0.75,
    )
    factor: Annotated[float, Field(gt=0, le=1, description="what `exponential` multiplies lr with each time")] = 0.9
    factor_every: Annotated[
        Literal["epoch", "step"], Field(description="when `exponential` does: after every epoch, or after every update")
    ] = "epoch"

    @model_validator(mode="after")
    def _looks_ahead(self) -> Self:
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError("`nesterov` needs a momentum, and no dampening")
        return self


class TrainingSettings(OptimizerSettings):
    """A train or defend stage."""

    model: Annotated[ModelRef | None, Field(description="architecture; not needed when a model port is connected")] = (
        None
    )
    label: Annotated[
        str, Field(description="what reports call the model; default: how it was trained, and the architecture")
    ] = ""
    epochs: Count = 10
    batch: Count = 128
    unlabelled_batch: Annotated[
        Count | None, Field(description="of the data at the port `unlabelled`; by default as large as `batch`")
    ] = None
    steps: Annotated[
        Count | None,
        Field(description="updates in an epoch, through the data as often as it takes; by default once through it"),
    ] = None
    precision: Literal["fp32", "fp64", "bf16"] = "fp32"
    channels_last: Annotated[bool, Field(description="lay images out by pixel, which GPUs and convolutions like")] = (
        False
    )
    warmup: Annotated[Share, Field(description="share of training over which the attacks' epsilon grows from 0")] = 0.0
    steps_warmup: Annotated[Share, Field(description="share of training over which the attacks' steps grow from 1")] = (
        0.0
    )
    parts: Annotated[
        tuple[PartRef, ...], Field(description="what the loss is trained with: penalties, a descent, an average")
    ] = ()
    augment: Literal["none", "shift", "rotate", "crop-flip"] = "none"
    validate_with: Annotated[AttackRef | None, Field(description="attack for robust validation accuracy")] = None
    keep: Annotated[
        Literal["last", "best", "worst-class"],
        Field(description="which epoch's weights are the output: of the best, on average or in its worst class"),
    ] = "last"
    patience: Annotated[Count | None, Field(description="stop after so many epochs without a better validation")] = None
    checkpoint_every: Annotated[Count, Field(description="epochs between checkpoints")] = 1


class GameSettings(Params):
    """A generate stage."""

    steps: Annotated[Count, Field(description="generator updates")] = 1000
    batch: Count = 128
    samples: Annotated[Count, Field(description="how many samples the stage hands on")] = 1000
    checkpoint_every: Annotated[Count, Field(description="generator updates between checkpoints")] = 200
    moments: Annotated[
        Natural, Field(description="how often samples are drawn on the way and kept with the generator, evenly spread")
    ] = 0


class EvaluationSettings(Params):
    """An evaluate stage."""

    chunk: Annotated[Count, Field(description="samples computed and committed together")] = 256
