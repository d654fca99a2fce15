"""Scaled gradient: a control of Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", 2015.

One step along the gradient itself, scaled until its size in the norm is epsilon: in linf only its largest number
moves as far as FGSM moves all of them. What this finds less than FGSM is what the sign is worth. In l2 the two agree.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.filters import over_l1, over_l2, over_largest
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.step import Step
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_fixed import ScaledGradientParams

_SCALED = {Norm.LINF: over_largest, Norm.L2: over_l2, Norm.L1: over_l1}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: ScaledGradientParams, rng: Draws) -> Tensor:
    """One step from the sample to the edge of the ball."""
    scaled = _SCALED[victim.norm]

    def direction(step: Step) -> Tensor:
        return scaled(step.ball.masked(step.gradient))

    return ascend(victim, x, y, Recipe(steps=1, direction=direction, schedule=share_of_epsilon(1.0)), rng)
