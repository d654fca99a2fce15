"""DDN: Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks", CVPR 2019.

d <- d + alpha grad L / ||grad L||;  z = x + epsilon d / ||d||, cut to the box;  epsilon shrinks by `gamma` where z
fools and grows by it where not; alpha falls from 1 to 0.01 along a cosine. The nearest z that fooled is returned. The
paper starts at a radius of 1, which needs dozens of steps to travel to where the boundary is; without a given radius
this one starts where the linearised boundary lies. L is the margin, not the paper's cross-entropy, whose gradient
points between the boundaries of several classes and vanishes on overconfident models.
"""

import torch
from torch import Tensor

from advorch.kit.attack.directions import to_unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.rows import euclidean, per_sample
from advorch.kit.attack.schedules import cosine
from advorch.kit.attack.shrink import Shrink, Walk, outcome, shrink, slope_of
from advorch.kit.attack.victim import Slope, Victim
from advorch_builtins.attacks.catalog_minimal import DdnParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: DdnParams, rng: Draws) -> Tensor:
    """A direction by gradient, and a radius by whether the last one fooled."""

    def move(walk: Walk, seen: Slope) -> Tensor:
        alpha = cosine(params.alpha, params.alpha / 100, walk.number, params.steps)
        step = walk.z - walk.ball.x + alpha * to_unit_l2(walk.ball.masked(seen.gradient))
        factor = torch.where(walk.fooled, 1 - params.gamma, 1 + params.gamma)
        walk.memory["radius"] = walk.memory["radius"] * factor
        length = walk.memory["radius"] / euclidean(step).clamp(min=1e-300)
        return walk.ball.project(walk.ball.x + (step * per_sample(length, step)).to(step.dtype))

    recipe = Shrink(steps=params.steps, look=slope_of(margin), move=move)
    memory = {"radius": _first_radius(victim, x, y, params)}
    return outcome(victim, x, shrink(victim, x, y, recipe, objective=margin, memory=memory))


def _first_radius(victim: Victim, x: Tensor, y: Tensor, params: DdnParams) -> Tensor:
    if params.radius is not None:
        return torch.full((len(x),), params.radius, dtype=torch.float64, device=x.device)
    lead, gradient, _ = victim.value_and_gradient(x, y, margin)
    return lead.abs() / euclidean(victim.ball(x).masked(gradient)).clamp(min=1e-12)
