"""DDN: Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks", CVPR 2019.

d <- d + alpha grad J / ||grad J||;  z = x + epsilon d / ||d||, cut to the box;  epsilon shrinks by `gamma` where z
fools and grows by it where not; alpha falls from 1 to 0.01 along a cosine. The nearest z that fooled is returned. The
paper starts at a radius of 1, which needs dozens of steps to travel to where the boundary is; without a given radius
this one starts where the linearised boundary lies. J is the cross-entropy of logits scaled, sample by sample, to a
lead of five at the start: as they are its gradient vanishes on overconfident models, and on timid ones it points
between the boundaries of several classes.
"""

import torch
from torch import Tensor

from advorch.kit.attack.directions import to_unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import cross_entropy, margin
from advorch.kit.attack.rows import euclidean, per_sample
from advorch.kit.attack.schedules import cosine
from advorch.kit.attack.shrink import Shrink, Walk, outcome, shrink
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.step import Memory
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import DdnParams

_LEAD = 5.0  # ten and three find norms up to 1 % and 3 % larger on small nets for MNIST


def perturb(victim: Victim, x: Tensor, y: Tensor, params: DdnParams, rng: Draws) -> Tensor:
    """A direction by gradient, and a radius by whether the last one fooled."""

    def move(walk: Walk, seen: Slope) -> Tensor:
        alpha = cosine(params.alpha, params.alpha / 100, walk.number, params.steps)
        step = walk.z - walk.ball.x + alpha * to_unit_l2(walk.ball.masked(seen.gradient))
        factor = torch.where(walk.fooled, 1 - params.gamma, 1 + params.gamma)
        walk.memory["radius"] = walk.memory["radius"] * factor
        length = walk.memory["radius"] / euclidean(step).clamp(min=1e-300)
        return walk.ball.project(walk.ball.x + (step * per_sample(length, step)).to(step.dtype))

    recipe = Shrink(steps=params.steps, look=_look, move=move)
    return outcome(victim, x, shrink(victim, x, y, recipe, objective=margin, memory=_beginning(victim, x, y, params)))


def _look(walk: Walk) -> Slope:
    """The cross-entropy of the scaled logits."""
    scale = walk.memory["scale"][:, None]
    objective = lambda logits, y: cross_entropy(logits * scale, y)  # noqa: E731
    return walk.victim.value_and_gradient(walk.z, walk.y, objective)


def _beginning(victim: Victim, x: Tensor, y: Tensor, params: DdnParams) -> Memory:
    lead, gradient, _ = victim.value_and_gradient(x, y, margin)
    radius = lead.abs() / euclidean(victim.ball(x).masked(gradient)).clamp(min=1e-12)
    return {
        "radius": radius if params.radius is None else torch.full_like(radius, params.radius),
        "scale": _LEAD / lead.abs().clamp(min=1e-12),
    }
