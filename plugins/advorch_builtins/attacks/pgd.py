"""PGD: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

z <- project(z + alpha d(grad J(z, y))), from a uniform start, with restarts. d is the sign in linf, the normalised
gradient in l2, and in l1 the signs of the strongest numbers that can still move (Tramer and Boneh, NeurIPS 2019).
Whoever withstands all ascents is tried with the one step of FGSM, so that more work never finds less. Who comes back to
a point of its own has nothing more to find (arXiv 2503.19347), and leaves. It fails where the loss is flat or masked:
compare it with another loss, and with noise.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, relay
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.starts import at_clean, at_random
from advorch.kit.attack.victim import Finish, Victim
from advorch_builtins.attacks.catalog import PgdParams
from advorch_builtins.attacks.fgsm import single_step


def perturb(victim: Victim, x: Tensor, y: Tensor, params: PgdParams, rng: Draws) -> Tensor:
    """Projected ascents on the cross-entropy, one for each restart."""
    last_resort = [single_step(victim.norm)] if victim.finish is Finish.FOOLED else []
    return relay(victim, x, y, [_ascent(victim.norm, params)] * params.restarts + last_resort, rng)


def _ascent(norm: Norm, params: PgdParams) -> Recipe:
    directions = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(params.top)}
    return Recipe(
        steps=params.steps,
        direction=directions[norm],
        schedule=share_of_epsilon(2.5 / params.steps) if params.alpha is None else constant(params.alpha),
        start=at_random if params.random_start else at_clean,
        cyclic=norm is Norm.LINF,
        bfloat16=params.precision == "bf16",
    )
