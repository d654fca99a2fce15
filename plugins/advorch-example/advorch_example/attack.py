"""Smoothed PGD: Wu and Zhu, "Understanding and enhancing the transferability of adversarial examples", 2018.

z <- project(z + alpha d(mean_i grad J(z + sigma n_i, y))), n_i standard normal and fresh at every step; d is the sign
in linf and the normalised gradient in l2. It fails where the noise is wider than what there is to follow.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Estimator, Recipe, ascend
from advorch.kit.attack.objectives import Objective
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.victim import Victim
from advorch_example import SmoothedParams

STEEPEST = {Norm.LINF: sign, Norm.L2: unit_l2}
REACH = 2.5  # epsilons that all steps together could go, as in Madry et al. 2018


def perturb(victim: Victim, x: Tensor, y: Tensor, params: SmoothedParams, rng: Draws) -> Tensor:
    """One ascent from each sample."""
    recipe = Recipe(
        steps=params.steps,
        direction=STEEPEST[victim.norm],
        schedule=share_of_epsilon(REACH / params.steps),
        slope=smoothed(params.draws, params.sigma),
    )
    return ascend(victim, x, y, recipe, rng)


def smoothed(draws: int, sigma: float) -> Estimator:
    """The slope at the point itself, with the gradient of so many noisy points around it in its place."""

    def slope(victim: Victim, z: Tensor, y: Tensor, objective: Objective, rng: Draws) -> Slope:
        here = victim.value_and_gradient(z, y, objective)
        noise = rng.normal((draws, *z.shape[1:]), like=z)
        around = (z[:, None] + sigma * noise).flatten(0, 1)
        if victim.box is not None:
            around = around.clamp(*victim.box)
        gradients = victim.gradient(around, y.repeat_interleave(draws), objective)
        return here._replace(gradient=gradients.view_as(noise).mean(1))

    return slope
