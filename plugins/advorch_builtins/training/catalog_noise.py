"""Training on noise, described: a control for adversarial training, and the base of randomized smoothing."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AnyComponent, Objective, ObjectiveFn, Params, Positive, Share


class NoiseParams(Params):
    """Noise that knows nothing of the model."""

    law: Annotated[
        Literal["uniform", "sign", "gaussian"],
        Field(description="even in [-size, size], at its ends, or normal with that deviation"),
    ] = "gaussian"
    size: Annotated[Positive, Field(description="of the noise in each value, in the data's own units")] = 0.25
    alpha: Annotated[Share, Field(description="weight of the clean loss: 0 trains on noisy samples alone")] = 0.0
    clip: Annotated[
        bool | None,
        Field(description="bring noisy samples into the box; by default not gaussian ones, as smoothing has it"),
    ] = None


def _noise() -> ObjectiveFn[NoiseParams]:
    from advorch_builtins.training.noise import loss

    return loss


NOISE = Objective(
    name="noise",
    summary="training on noisy samples: alpha J(x) + (1 - alpha) J(x + noise), uniform, of signs or gaussian",
    params=NoiseParams,
    load=_noise,
)

COMPONENTS: tuple[AnyComponent, ...] = (NOISE,)
