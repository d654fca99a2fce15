"""NES: Ilyas, Engstrom, Athalye and Lin, "Black-box adversarial attacks with limited queries and information", ICML
2018.

g = mean of (J(z + sigma u) - J(z - sigma u)) u / (2 sigma) over normal u, then the step of PGD along g. The differences
are each sample's own: a public library multiplies the noise by the sum over the batch, and every other sample drowns
the signal. J is the margin, which knows no saturated softmax. Each step costs 2 pairs + 1 queries; with far fewer pairs
than a sample has numbers the estimate is mostly noise, and where the scores are rounded it is zero.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.estimators import antithetic, normal_noise
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.recipe import Recipe
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_black_box import NesParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: NesParams, rng: Draws) -> Tensor:
    """Projected ascent along estimated gradients."""
    recipe = Recipe(
        steps=params.steps,
        direction={Norm.LINF: sign, Norm.L2: unit_l2}[victim.norm],
        schedule=share_of_epsilon(2.5 / params.steps) if params.alpha is None else constant(params.alpha),
        objective=margin,
        slope=antithetic(normal_noise, params.sigma, params.pairs),
        restarts=params.restarts,
    )
    return ascend(victim, x, y, recipe, rng)
