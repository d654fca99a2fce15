"""DeepFool: Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool: a simple and accurate method", CVPR 2016.

The boundary to class k, linearised, is |f_k - f_y| / ||grad f_k - grad f_y||_q away. Step onto the nearest one, look
again, until x + (1 + overshoot) (r_1 + r_2 + ...) has another label: in l2 a step of |f| / ||w||^2 along w, in linf of
|f| / ||w||_1 along its signs, each cut to the box by itself. On a linear model one is exact, up to the overshoot.
It stops at the first point that fools, so it stays above the minimum where boundaries bend; attacks that come back
(DDN, FMN, FAB) go below. Where half of the numbers are at the edge of the box, it crawls: give it `steps`.
"""

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.classes import ClassLook, likeliest
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.hyperplane import dual_length, nearest_lead
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.shrink import Shrink, Walk, height_of, outcome, shrink
from advorch.kit.attack.slopes import Height
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import DeepFoolParams

_HAIR = 1e-7  # where the point is on the boundary already, the overshoot of nothing is nothing
_FURTHER = 1e-4  # as in the authors' code, after the first step: what the box cuts short would end on the boundary


def perturb(victim: Victim, x: Tensor, y: Tensor, params: DeepFoolParams, rng: Draws) -> Tensor:
    """Over the nearest linearised boundary, again and again."""
    longer = 1 + params.overshoot

    def move(walk: Walk, seen: Height) -> Tensor:
        if walk.number == 0:
            walk.memory["classes"] = likeliest(walk.victim.of_classes(seen.logits), walk.y, params.classes)
        step = _onto_nearest(walk, ClassLook.at(walk))
        return walk.ball.project(torch.where(per_sample(walk.fooled, step), walk.z, walk.z + longer * step))

    recipe = Shrink(steps=params.steps, look=height_of(margin), move=move, done=lambda walk: walk.nearest.fooled)
    return outcome(victim, x, shrink(victim, x, y, recipe, objective=margin))


def _onto_nearest(walk: Walk, seen: ClassLook) -> Tensor:
    """The shortest step onto the nearest of the linearised boundaries, a hair further; nowhere without a slope."""
    norm = walk.ball.norm
    lead, slope = nearest_lead(norm, seen.lead, seen.gradient)
    length = dual_length(norm, slope)
    hair = _FURTHER if walk.number else _HAIR
    distance = (hair + lead.abs() / length).nan_to_num(nan=0.0, posinf=0.0)
    unit = slope.sign() if norm is Norm.LINF else slope / per_sample(length.clamp(min=1e-300), slope)
    return (per_sample(distance, unit) * unit).to(slope.dtype)
