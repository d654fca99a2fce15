"""Exact Euclidean projections of a step onto a norm ball cut by a box.

All work on magnitudes `size >= 0` and on `room >= 0`, how far the box lets each number go; in the direction of a step
both problems have one unknown a sample. Results obey the ball in the arithmetic of their own dtype.
"""

import torch
from torch import Tensor

from advorch.kit.attack.rows import euclidean, largest, per_sample, total

_CLIMBS = 12  # sets of clipped numbers grow a few times at most; every climb short of the end is inside the ball
_HALVINGS = 30  # tell the kinks apart as far as float32 does; one exact step is left
_HALVINGS_DOUBLE = 60


def step_from(x: Tensor, step: Tensor) -> Tensor:
    """`x + step`, rounded towards x, so that no number moves further than `step` says."""
    z = x + step
    return torch.where((z - x).abs() > step.abs(), torch.nextafter(z, x), z)


def onto_l2(size: Tensor, room: Tensor, radius: Tensor) -> Tensor:
    """`min(scale * size, room)` with the largest scale up to 1 that keeps the l2 norm within the radius."""
    scale = (radius / euclidean(size)).nan_to_num(nan=1.0).clamp(max=1)
    for _ in range(_CLIMBS):
        clipped = size * per_sample(scale, size).to(size.dtype) >= room
        spent = euclidean(torch.where(clipped, room, 0)).square()
        left = (radius.square() - spent).clamp(min=0).sqrt()
        climbed = (left / euclidean(torch.where(clipped, 0, size))).nan_to_num(nan=1.0)
        climbed = torch.maximum(scale, climbed).clamp(max=1)
        if _host(size) and bool((climbed == scale).all()):
            break
        scale = climbed
    return torch.minimum(size * per_sample(_round_down(scale, size.dtype), size), room)


def onto_l1(size: Tensor, room: Tensor, radius: Tensor) -> Tensor:
    """`clamp(size - threshold, 0, room)` with the smallest threshold that keeps the l1 norm within the radius."""
    high = largest(size)
    low = torch.zeros_like(high)
    for _ in range(_HALVINGS_DOUBLE if size.dtype == torch.float64 else _HALVINGS):
        middle = (low + high) / 2
        too_long = total(_soften(size, room, middle)) > radius
        low, high = torch.where(too_long, middle, low), torch.where(too_long, high, middle)
    step = _soften(size.double(), room.double(), _solve_piece(size, room, radius, low))
    excess = (radius / total(step)).nan_to_num(nan=1.0).clamp(max=1)
    return (step * per_sample(excess, size)).to(size.dtype)


def onto_l0(size: Tensor, room: Tensor, radius: Tensor) -> Tensor:
    """`min(size, room)` for the numbers that it brings furthest, as many whole ones as the radius counts, else zero."""
    step = torch.minimum(size, room)
    gain = size.square() - (size - step).square()
    return torch.where(ranks(gain) < per_sample(radius.floor(), size), step, 0)


def ranks(values: Tensor) -> Tensor:
    """The place of each number in its sample, the largest at zero, equal ones in order."""
    order = values.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).view_as(values)


def _soften(size: Tensor, room: Tensor, threshold: Tensor) -> Tensor:
    return torch.minimum((size - per_sample(threshold, size)).clamp_(min=0), room)


def _solve_piece(size: Tensor, room: Tensor, radius: Tensor, near: Tensor) -> Tensor:
    """The threshold itself: just above `near` the length is linear, falling with the numbers that move freely."""
    above = size - per_sample(near, size)
    full, free = above >= room, (above > 0) & (above < room)
    count = total(free)
    threshold = (total(torch.where(full, room, 0)) + total(torch.where(free, size, 0)) - radius) / count
    threshold = torch.where(count > 0, threshold, near.double())
    within = total(torch.minimum(size, room)) <= radius
    return torch.where(within, 0, threshold).clamp(min=0)


def _round_down(scale: Tensor, dtype: torch.dtype) -> Tensor:
    """A scale below one in a narrower type, never above what it was."""
    rounded = scale.to(dtype)
    return torch.where(scale < 1, torch.nextafter(rounded, torch.zeros_like(rounded)), rounded)


def _host(values: Tensor) -> bool:
    """Whether looking at a value is free; leaving early changes no result, since every row has settled."""
    return values.device.type == "cpu"
