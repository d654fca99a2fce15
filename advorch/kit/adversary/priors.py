"""Laws of codes, as functions of standard normal numbers and of classes, so that whoever draws keeps the randomness."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Prior = Callable[[Tensor, Tensor], Tensor]
"""Codes from normal numbers, a row each, and from classes; a class has its own part of the law."""


def normal(numbers: Tensor, classes: Tensor, spread: float = 1.0) -> Tensor:
    """The same law for every class."""
    return spread * numbers


def petals(numbers: Tensor, classes: Tensor, *, count: int, spread: float = 1.0) -> Tensor:
    """A Gaussian for each class around the origin, long outwards (deviation 0.5) and narrow across (0.05), 1.4 away."""
    angle = 2 * math.pi * classes / count
    out, across = 1.4 + 0.5 * numbers[:, 0], 0.05 * numbers[:, 1]
    x = out * angle.cos() - across * angle.sin()
    y = out * angle.sin() + across * angle.cos()
    return spread * torch.stack([x, y], dim=1)


def swiss_roll(numbers: Tensor, classes: Tensor, *, count: int, spread: float = 1.0) -> Tensor:
    """A spiral of two turns of even density; each class has a stretch of it, from the middle outwards."""
    even = torch.special.ndtr(numbers[:, 0])
    share = ((classes + even) / count).sqrt()
    radius, angle = 3 * share + 0.05 * numbers[:, 1], 4 * math.pi * share
    return spread * torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


PLANE: dict[str, Callable[..., Tensor]] = {"mixture": petals, "swiss-roll": swiss_roll}


def plane(name: str, count: int, spread: float) -> Prior:
    """A law of the plane with a part for each of so many classes."""
    return partial(PLANE[name], count=count, spread=spread)
