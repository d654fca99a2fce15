"""Adam: Kingma and Ba, ICLR 2015."""

from typing import NamedTuple

import torch
from torch import Tensor

from advorch.kit.attack.step import Direction, Step

_DECAY = 0.9
_DECAY_OF_SQUARES = 0.999
_TINY = 1e-16  # beside squares of gradients, which a confident model makes small


class Adapted(NamedTuple):
    """A step, and what the next one has to know."""

    step: Tensor
    mean: Tensor
    squares: Tensor


def adapted(gradient: Tensor, mean: Tensor, squares: Tensor, number: int) -> Adapted:
    """The gradient's mean over the root of its squares' mean, corrected for their start: about one for every number."""
    mean = torch.lerp(gradient, mean, _DECAY)
    squares = torch.lerp(gradient.square(), squares, _DECAY_OF_SQUARES)
    first, second = mean / (1 - _DECAY ** (number + 1)), squares / (1 - _DECAY_OF_SQUARES ** (number + 1))
    return Adapted(torch.where(second > 0, first / (second.sqrt() + _TINY), 0), mean, squares)


def adam() -> Direction:
    """Adam as a direction of ascent."""

    def direction(step: Step) -> Tensor:
        nothing = torch.zeros_like(step.gradient)
        mean, squares = (step.memory.get(name, nothing) for name in ("mean", "squares"))
        found = adapted(step.gradient, mean, squares, step.number)
        step.memory.update(mean=found.mean, squares=found.squares)
        return found.step

    return direction
