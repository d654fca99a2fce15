"""FGSM: Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015.

x_adv = x + epsilon argmax_{|d| <= 1} <d, grad J(x, y)>, cut to the box: the sign of the gradient in linf, the
normalised gradient in l2, its strongest number in l1 (and the next ones where the box stops that). Exact for a linear
model in linf and l1. It fails where the gradient at the sample says nothing about the ball: take more steps.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import corner_l1, sign, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog import FgsmParams

_STEEPEST = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: corner_l1}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: FgsmParams, rng: Draws) -> Tensor:
    """One step from the sample to the edge of the ball."""
    return ascend(victim, x, y, single_step(victim.norm), rng)


def single_step(norm: Norm) -> Recipe:
    """The whole of epsilon in the steepest direction."""
    return Recipe(steps=1, direction=_STEEPEST[norm], schedule=share_of_epsilon(1.0))
