"""MIM: Dong et al., "Boosting adversarial attacks with momentum", CVPR 2018.

g <- decay g + grad J(z, y) / ||grad J(z, y)||_1,  z <- project(z + alpha d(g)), d the sign in linf, g / ||g||_2 in l2.
The momentum adds gradients, not their signs, so that a weak gradient counts for little. As a white-box attack it is
no stronger than PGD; it transfers better.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.filters import accumulated
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_momentum import MimParams

_STEEPEST = {Norm.LINF: sign, Norm.L2: unit_l2}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: MimParams, rng: Draws) -> Tensor:
    """One ascent with momentum, from the sample."""
    return ascend(victim, x, y, momentum_recipe(victim.norm, params), rng)


def momentum_recipe(norm: Norm, params: MimParams) -> Recipe:
    """What the kin of this attack change a part of."""
    return Recipe(
        steps=params.steps,
        direction=accumulated(params.decay, _STEEPEST[norm]),
        schedule=share_of_epsilon(1 / params.steps) if params.alpha is None else constant(params.alpha),
    )
