"""SPSA: Uesato, O'Donoghue, van den Oord and Kohli, "Adversarial risk and the dangers of evaluating against weak
attacks", ICML 2018 (after Spall, 1992).

g = mean of (J(z + sigma u) - J(z - sigma u)) u / (2 sigma) over vectors u of coin flips; J is the margin. Adam follows
g and every step is projected, which averages the noise of many cheap estimates. Finite differences look over bumps of a
masked gradient that are smaller than sigma. Each step costs 2 pairs + 1 queries; it fails where the scores are constant
at the distance sigma.
"""

from torch import Tensor

from advorch.kit.attack.adam import adam
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.estimators import antithetic, sign_noise
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.recipe import Recipe
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_black_box import SpsaParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: SpsaParams, rng: Draws) -> Tensor:
    """Projected steps of Adam along estimated gradients."""
    recipe = Recipe(
        steps=params.steps,
        direction=adam(),
        schedule=share_of_epsilon(2.5 / params.steps) if params.alpha is None else constant(params.alpha),
        objective=margin,
        slope=antithetic(sign_noise, params.sigma, params.pairs),
        restarts=params.restarts,
    )
    return ascend(victim, x, y, recipe, rng)
