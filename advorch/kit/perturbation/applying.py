"""A fitted perturbation on samples that it was not fitted to."""

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.perturbation.fitted import Fitted, Kind, Print
from advorch.kit.perturbation.pasting import paste, placed
from advorch.kit.perturbation.placing import Placing
from advorch.threat import Box, Norm


def apply(printed: Print, x: Tensor, rng: Draws, box: Box | None) -> Tensor:
    """The samples with the perturbation on them, in the box; a patch lies where the draws put it."""
    if printed.kind is not Kind.PATCH and printed.pattern.shape != x.shape[1:]:
        found, wanted = tuple(printed.pattern.shape), tuple(x.shape[1:])
        raise _unfit(f"the perturbation is of shape {found}, the samples of {wanted}")
    pattern = printed.pattern.to(x)
    if printed.kind is Kind.TEXTURE:
        raise _unfit("a texture is the surface of an object, and nothing to put on a sample", "use evaluate/poses")
    if printed.kind is Kind.UNIVERSAL:
        return into_box(x + pattern, box)
    assert printed.mask is not None
    mask = printed.mask.to(x)
    if printed.kind is Kind.STICKER:
        return into_box(x * (1 - mask) + pattern * mask, box)
    maps = placed(Placing.parse(dict(_law(printed))), rng, x)
    return into_box(paste(x, pattern[None], mask[None], maps), box)


def into_box(z: Tensor, box: Box | None) -> Tensor:
    """The nearest legal point, each number by itself."""
    return ThreatSet.around(z, Norm.UNBOUNDED, torch.inf, box=box).project(z)


def check_samples(fitted: Fitted, shape: tuple[int, ...]) -> None:
    """Whether samples of a shape can carry it."""
    if fitted.signature.shape != shape:
        raise _unfit(f"{fitted.name} was fitted to samples of shape {fitted.signature.shape}, these are of {shape}")


def of_source(fitted: Fitted, y: Tensor) -> Tensor:
    """Which samples it was meant for: those of its source class, or all."""
    return torch.ones_like(y, dtype=torch.bool) if fitted.source is None else y.eq(fitted.source)


def _law(printed: Print) -> "dict[str, object]":
    law = printed.how["placing"]
    assert isinstance(law, dict)
    return law


def _unfit(message: str, hint: str = "") -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER, hint=hint)
