"""Adam as a direction of ascent: Kingma and Ba, ICLR 2015."""

import torch
from torch import Tensor

from advorch.kit.attack.step import Direction, Step

_DECAY = 0.9
_DECAY_OF_SQUARES = 0.999
_TINY = 1e-16  # beside squares of gradients, which a confident model makes small


def adam() -> Direction:
    """The gradient's mean over the root of its squares' mean, corrected for their start: about one for every number."""

    def direction(step: Step) -> Tensor:
        nothing = torch.zeros_like(step.gradient)
        mean = torch.lerp(step.gradient, step.memory.get("mean", nothing), _DECAY)
        squares = torch.lerp(step.gradient.square(), step.memory.get("squares", nothing), _DECAY_OF_SQUARES)
        step.memory.update(mean=mean, squares=squares)
        first = mean / (1 - _DECAY ** (step.number + 1))
        second = squares / (1 - _DECAY_OF_SQUARES ** (step.number + 1))
        return torch.where(second > 0, first / (second.sqrt() + _TINY), 0)

    return direction
