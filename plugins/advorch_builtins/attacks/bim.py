"""BIM: Kurakin, Goodfellow and Bengio, "Adversarial examples in the physical world", ICLR workshop 2017.

z <- project(z + alpha sign(grad J(z, y))) from the sample itself: PGD without its random start, with the same norms. It
fails where PGD fails, and where the gradient at the sample is masked.
"""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks import pgd
from advorch_builtins.attacks.catalog import PgdParams
from advorch_builtins.attacks.catalog_fixed import BimParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: BimParams, rng: Draws) -> Tensor:
    """One ascent from the sample."""
    same = PgdParams(steps=params.steps, alpha=params.alpha, top=params.top, random_start=False)
    return pgd.perturb(victim, x, y, same, rng)
