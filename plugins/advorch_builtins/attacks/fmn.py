"""FMN: Pintor et al., "Fast minimum-norm adversarial attacks through adaptive norm constraints", NeurIPS 2021.

z <- project onto the ball of radius epsilon and the box of (z + alpha grad L / ||grad L||_2), L the margin. Until a
sample is fooled its epsilon is where the linearised boundary lies, ||z - x||_p - L / ||grad L||_q; afterwards it
grows or shrinks by `gamma`, and never exceeds the best norm found. alpha and gamma fall along a cosine. The
projection is exact, box included: implementations that scale by ||d|| / ||d|| or clamp d itself find norms twice as
large. It fails where alpha does not fit the scale of the data: 1 is for images in the unit box.
"""

import torch
from torch import Tensor

from advorch.kit.attack.directions import to_unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.hyperplane import dual_length
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.schedules import cosine
from advorch.kit.attack.shrink import Shrink, Walk, outcome, shrink, slope_of
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import FmnParams

_LAST_GAMMA = 0.001  # also how far beyond a linearised boundary to look, since nobody is fooled on it


def perturb(victim: Victim, x: Tensor, y: Tensor, params: FmnParams, rng: Draws) -> Tensor:
    """Steps along the gradient inside a ball that closes in on the boundary."""

    def move(walk: Walk, seen: Slope) -> Tensor:
        gradient = walk.ball.masked(seen.gradient)
        alpha = cosine(params.alpha, params.alpha / 100, walk.number, params.steps)
        gamma = cosine(params.gamma, _LAST_GAMMA, walk.number, params.steps)
        walk.memory["radius"] = _radius(walk, seen.value, dual_length(victim.norm, gradient), gamma)
        within = walk.victim.ball_of(walk.ball.x, walk.memory["radius"])
        return within.project(walk.z + alpha * to_unit_l2(gradient))

    recipe = Shrink(steps=params.steps, look=slope_of(margin), move=move)
    memory = {"radius": torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)}
    return outcome(victim, x, shrink(victim, x, y, recipe, objective=margin, memory=memory))


def _radius(walk: Walk, value: Tensor, length: Tensor, gamma: float) -> Tensor:
    """Half the paper: the radius that each sample is held in next."""
    radius = walk.memory["radius"]
    linearised = walk.ball.distance(walk.z) + value.abs() / length.clamp(min=1e-12)
    grown = torch.where(walk.nearest.fooled, radius * (1 + gamma), linearised * (1 + _LAST_GAMMA))
    shrunk = torch.minimum(radius * (1 - gamma), walk.nearest.distance)
    return torch.where(walk.fooled, shrunk, grown)
