"""Linearised boundaries: how far they are in a norm, and the shortest step onto one inside the box."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Norm

_DUAL: Final = {Norm.LINF: 1.0, Norm.L2: 2.0, Norm.L1: torch.inf}
_ENDLESS: Final = 1e30  # room where there is no box: far, and finite, so that nothing times it is not a number


def dual_length(norm: Norm, slope: Tensor) -> Tensor:
    """The length of each sample's slope in the dual norm: a step of length one gains that much."""
    length: Tensor = torch.linalg.vector_norm(slope.flatten(1), ord=_DUAL[norm], dim=1, dtype=torch.float64)
    return length


def nearest_lead(norm: Norm, lead: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Of a sample's linearised boundaries the nearest: its lead and its slope."""
    length = dual_length(norm, gradient.flatten(0, 1)).view_as(lead)
    chosen = (lead.abs() / length).nan_to_num(nan=torch.inf).argmin(1)
    rows = torch.arange(len(lead), device=lead.device)
    return lead[rows, chosen], gradient[rows, chosen]


def onto_hyperplane(ball: ThreatSet, z: Tensor, slope: Tensor, gap: Tensor) -> Tensor:
    """The shortest step from `z` that gains `gap` along `slope` inside the box, in the norm of the ball.

    Where the box does not let it gain so much, the corner that gains most.
    """
    way = slope * per_sample(gap.sign().to(slope.dtype), slope)
    room = torch.where(way != 0, _room(ball, z, way), 0)
    length = _STEPS[ball.norm](way.flatten(1).abs().double(), room.flatten(1).double(), gap.double().abs())
    return torch.copysign(length.view_as(way).to(way.dtype), way)


def _room(ball: ThreatSet, z: Tensor, way: Tensor) -> Tensor:
    """How far the box lets each number go from a point."""
    if ball.lower is None or ball.upper is None:
        return torch.full_like(z, _ENDLESS)
    return torch.where(way > 0, ball.upper - z, z - ball.lower).clamp(0, _ENDLESS)


def _linf_step(gain: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """`min(level, room)`."""
    return torch.minimum(room, _level(gain, room, gap)[:, None])


def _l2_step(gain: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """`min(level * gain, room)`."""
    ends = (room / gain).nan_to_num(nan=_ENDLESS, posinf=_ENDLESS)
    return torch.minimum(room, gain * _level(gain.square(), ends, gap)[:, None])


def _l1_step(gain: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """As far as the box goes, in the order of what a unit gains, until the gap is closed."""
    order = gain.argsort(dim=1, descending=True, stable=True)
    unit, length = gain.gather(1, order), room.gather(1, order)
    before = (unit * length).cumsum(1) - unit * length
    left = (gap[:, None] - before).clamp(min=0)
    step = torch.minimum(length, (left / unit).nan_to_num(nan=0.0, posinf=0.0))
    return torch.zeros_like(step).scatter(1, order, step)


def _level(weight: Tensor, end: Tensor, gap: Tensor) -> Tensor:
    """The smallest level with `sum(weight * min(level, end)) >= gap`, else the largest end; exact."""
    level = (_climbed if weight.device.type == "cpu" else _sorted)(weight, end, gap)
    return torch.minimum(level.nan_to_num(nan=0.0, posinf=_ENDLESS), end.amax(1)).clamp(min=0)


def _climbed(weight: Tensor, end: Tensor, gap: Tensor) -> Tensor:
    """Newton's steps on a concave sum: from below, a few of them, until no further end is passed."""
    level = gap / weight.sum(1)
    while True:
        free = torch.where(end > level[:, None], weight, 0)
        higher = torch.fmax(level, (gap - ((weight - free) * end).sum(1)) / free.sum(1))
        if bool((higher == level).logical_or_(higher.isnan()).all()):
            return higher
        level = higher


def _sorted(weight: Tensor, end: Tensor, gap: Tensor) -> Tensor:
    """The same by sorting, where looking whether anybody climbs would mean waiting."""
    ends, order = end.sort(dim=1)
    weights = weight.gather(1, order)
    full = (weights * ends).cumsum(1) - weights * ends
    rising = weights.flip(1).cumsum(1).flip(1)
    reached = full + rising * ends >= gap[:, None]
    piece = torch.where(reached.any(1), reached.int().argmax(1), reached.shape[1] - 1)[:, None]
    return ((gap[:, None] - full.gather(1, piece)) / rising.gather(1, piece)).squeeze(1)


_STEPS: Final[dict[Norm, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    Norm.LINF: _linf_step,
    Norm.L2: _l2_step,
    Norm.L1: _l1_step,
}
