"""Adversarials on the grid of values that a file can hold, such as the 256 of an 8-bit picture."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.box import ends_of
from advorch.threat import Box, Norm

_NEAR = 1e-3  # of a level: closer than that a number is on it
_HAIR = 4  # units in the last place: so far a number may be from its level, which is told by rounding again


def on_levels(ball: ThreatSet, z: Tensor, box: Box | None, levels: int) -> Tensor:
    """Each number at the nearest of `low + k / levels (high - low)` that keeps the point in the set.

    Where the nearest ones together leave the set, those furthest off go towards the clean sample instead, as
    few as will do; where there is no level on the way, to the clean number itself. What has not moved stays.
    """
    low, width = _grid(box, z)
    x, place = ball.x, (z - low) / width * levels
    near = place.round()
    inward = torch.where((place - near).abs() < _NEAR, near, torch.where(z > x, place.floor(), place.ceil()))
    outer, inner = (_snapped(ball, low + level / levels * width, z) for level in (near, inward))
    on_the_way = (inner >= torch.minimum(x, z)) & (inner <= torch.maximum(x, z))
    inner = torch.where(on_the_way, inner, x)
    outer = torch.where(outer.isnan() | (z == x), inner, outer)
    mixed = _as_many_as_fit(ball, inner, outer, (outer - z).abs())
    for better in (mixed, outer):
        inner = torch.where(per_sample(ball.contains(better), z), better, inner)
    return inner


def check_levels(box: Box | None) -> None:
    """Without a legal range there are no levels."""
    if box is None:
        hint = "leave out `levels`, or give the data a box"
        raise StageFailed("levels divide the box of the data, and it has none", error_class=ErrorClass.USER, hint=hint)


def _grid(box: Box | None, z: Tensor) -> tuple[Tensor, Tensor]:
    check_levels(box)
    assert box is not None
    low, high = ends_of(box, tuple(z.shape[1:]), z)
    return low, high - low


def _snapped(ball: ThreatSet, level: Tensor, z: Tensor) -> Tensor:
    """A level that is out of bounds by rounding alone is brought back; further out it is not a number."""
    if ball.lower is None or ball.upper is None:
        return level
    inside = level.clamp(ball.lower, ball.upper)
    hair = _HAIR * torch.finfo(z.dtype).eps * torch.maximum(level.abs(), torch.maximum(ball.x.abs(), z.abs()))
    return torch.where((inside - level).abs() <= hair, inside, torch.nan)


def _as_many_as_fit(ball: ThreatSet, inner: Tensor, outer: Tensor, off: Tensor) -> Tensor:
    """In norms that sum over numbers: from the inner points, the shortest moves outward that epsilon pays for."""
    if ball.norm not in _COST:
        return outer
    cost, budget = _COST[ball.norm]
    spent, wanted = (cost((end - ball.x).double().abs()).flatten(1) for end in (inner, outer))
    order = off.flatten(1).argsort(dim=1, stable=True)
    left = budget(ball.epsilon.double()) - spent.sum(1)
    pays = (wanted - spent).gather(1, order).cumsum(1) <= left[:, None]
    taken = torch.zeros_like(pays).scatter(1, order, pays).view_as(outer)
    return torch.where(taken, outer, inner)


_COST: Final[dict[Norm, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]]] = {
    Norm.L2: (torch.square, torch.square),
    Norm.L1: (torch.abs, torch.abs),
    Norm.L0: (torch.sign, torch.abs),
}
