"""Ensemble: Liu, Chen, Liu and Song, "Delving into transferable adversarial examples and black-box attacks", ICLR 2017.

min_z -log(1 - sum_k a_k p_k(y | z)) + lambda d(z, x) over the surrogates k, or with a target
min_z -log(sum_k a_k p_k(target | z)) + lambda d(z, x), by Adam on the image; d is the root mean square of the change.
All steps to the end: `unbounded`, lambda and the length of the steps alone keep z near x, as in the paper; in l2 and
linf there is a ball besides. Where lambda / sqrt(n) is above the slope the best place is x itself, and there it stays.
It fails where the surrogates do, and where the victim has learnt other features.
"""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.attack.adam import adam
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import follow
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.recipe import Recipe, Walk, where_it_stands
from advorch.kit.attack.rows import euclidean, per_sample, size
from advorch.kit.attack.schedules import constant
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.surrogates import stand_in
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_transfer import EnsembleParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: EnsembleParams, rng: Draws) -> Tensor:
    """The end of one descent on the surrogates."""
    recipe = Recipe(
        steps=params.steps,
        direction=adam(),
        schedule=constant(params.lr),
        objective=cross_entropy if victim.targeted else doubt,
        survey=partial(_held_back, params.lambda_),
    )
    substitute = stand_in(victim, params.weights)
    with untouched(substitute.module):
        return follow(substitute, x, y, recipe, rng)


def doubt(logits: Tensor, y: Tensor) -> Tensor:
    """log(1 - p_y), which keeps its slope where p_y rounds to one."""
    chosen = y[:, None] == torch.arange(logits.shape[1], device=logits.device)
    others = logits.masked_fill(chosen, -torch.inf).logsumexp(1)
    return -functional.softplus(torch.where(chosen, logits, 0).sum(1) - others, threshold=40)


def _held_back(pull: float, walk: Walk, recipe: Recipe) -> Slope:
    """The slope of the objective less that of the distance, which at the sample itself has none."""
    value, gradient, logits = where_it_stands(walk, recipe)
    step = walk.z - walk.ball.x
    length = euclidean(step)
    root = math.sqrt(size(step))
    back = step / per_sample(length.clamp(min=torch.finfo(step.dtype).tiny) * root, step).to(step.dtype)
    return Slope(value - pull * (length / root).to(value.dtype), gradient - pull * back, logits)
