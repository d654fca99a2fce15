"""PGD: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

z <- project(z + alpha d(grad J(z, y))), from a uniform start, with restarts. d is the sign in linf, the normalised
gradient in l2, and in l1 the signs of the strongest numbers that can still move (Tramer and Boneh, NeurIPS 2019).
Without a random start this is BIM (Kurakin, Goodfellow and Bengio, 2017). It fails where the loss is flat or masked:
compare it with another loss, and with noise.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.starts import at_clean, at_random
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog import PgdParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: PgdParams, rng: Draws) -> Tensor:
    """Projected ascents on the cross-entropy, one for each restart."""
    directions = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(params.top)}
    recipe = Recipe(
        steps=params.steps,
        direction=directions[victim.norm],
        schedule=share_of_epsilon(2.5 / params.steps) if params.alpha is None else constant(params.alpha),
        start=at_random if params.random_start else at_clean,
        restarts=params.restarts,
    )
    return ascend(victim, x, y, recipe, rng)
