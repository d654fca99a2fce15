"""Parts for training with one gradient a batch."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, NonNegative, Params, Part, PartFn, Positive, Share


class ElleParams(Params):
    """A penalty on how far the loss is from a straight line."""

    epsilon: Annotated[NonNegative, Field(description="of the linf ball that it is to be straight in")] = 8 / 255
    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 4000.0
    adaptive: Annotated[bool, Field(description="ELLE-A: lambda only where the error leaps")] = True
    deviations: Annotated[Positive, Field(description="how far above its mean the error is said to leap")] = 2.0
    decay: Annotated[Share, Field(description="what is left of lambda after each step without a leap")] = 0.99


class FreeParams(Params):
    """Several updates a batch, each with the gradient of both weights and samples."""

    epsilon: Annotated[NonNegative, Field(description="of the linf ball, and length of each step")] = 8 / 255
    replays: Annotated[Count, Field(description="updates on one batch; divide the epochs by it")] = 8


def _elle() -> PartFn[ElleParams]:
    from advorch_builtins.parts.elle import elle

    return elle


def _free() -> PartFn[FreeParams]:
    from advorch_builtins.parts.free import free

    return free


ELLE = Part(
    name="elle",
    summary="lambda times how far the loss is from linear around the samples, by first-order means (ELLE, ELLE-A)",
    params=ElleParams,
    load=_elle,
)
FREE = Part(
    name="free",
    summary="each batch is replayed, and each gradient moves weights and perturbation at once (Shafahi 2019)",
    params=FreeParams,
    load=_free,
)

COMPONENTS: tuple[AnyComponent, ...] = (ELLE, FREE)
