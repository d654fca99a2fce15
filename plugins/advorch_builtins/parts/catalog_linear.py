"""Parts for training with one gradient a batch."""

from advorch.api import AnyComponent, Part, PartFn
from advorch_builtins.parts.params import ElleParams, FreeParams


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
