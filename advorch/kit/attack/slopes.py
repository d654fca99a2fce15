"""What a victim tells of points, and how they are shown to it."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from torch import Tensor

View: TypeAlias = Callable[[Tensor], Tensor]
"""What the model is shown of a point: differentiable, sample by sample."""


class Height(NamedTuple):
    """The objective at a point, and the logits that it was computed from."""

    value: Tensor
    logits: Tensor


class Slope(NamedTuple):
    """The objective at a point, which way it rises, and the logits that it was computed from."""

    value: Tensor
    gradient: Tensor
    logits: Tensor


class ClassSlopes(NamedTuple):
    """By how much each of some classes leads over the label, and which way each of these leads rises."""

    lead: Tensor
    gradient: Tensor
    logits: Tensor
