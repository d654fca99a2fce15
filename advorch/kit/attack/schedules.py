"""How far a step goes."""

import math

from torch import Tensor

from advorch.kit.attack.step import Schedule, Step


def constant(alpha: float) -> Schedule:
    """The same length at every step, in the data's own units."""

    return _kept(lambda step: step.ball.epsilon.new_full((len(step.z),), alpha))


def share_of_epsilon(share: float) -> Schedule:
    """A share of each sample's own epsilon."""

    return _kept(lambda step: step.ball.epsilon * share)


def _kept(first: Schedule) -> Schedule:
    """What was said at the first step, without saying it again."""

    def length(step: Step) -> Tensor:
        if "length" not in step.memory:
            step.memory["length"] = first(step)
        return step.memory["length"]

    return length


def cosine(first: float, last: float, number: int, steps: int) -> float:
    """From the first to the last of so many steps along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * number / max(1, steps - 1))) / 2
