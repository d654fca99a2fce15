"""The fixed-budget loop: start x objective x direction x projection x schedule x stop.

FGSM, BIM, PGD and their kin are a `Recipe` each. What is wanted of a sample in the end is the victim's `finish`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.climb import climb, climb_in_bfloat16
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.recipe import Estimator, Recipe, Walk, exact_slope
from advorch.kit.attack.victim import Finish, Victim


def ascend(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """One point a sample inside `victim.ball(x)`, as the victim's `finish` asks."""
    return relay(victim, x, y, [recipe] * recipe.restarts, rng)


def relay(victim: Victim, x: Tensor, y: Tensor, recipes: Sequence[Recipe], rng: Draws) -> Tensor:
    """The same with a recipe of its own for every restart."""
    if victim.finish is Finish.FOOLED:
        return search(victim, x, y, recipes, rng)
    if victim.finish is Finish.LAST and len(recipes) == 1:
        return follow(victim, x, y, recipes[0], rng)
    return harden(victim, x, y, recipes, rng)


def follow(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """The last point of one ascent; nothing is judged and the device is never waited for."""
    walk = Walk.begin(victim, x, y, recipe, rng.fork(0))
    for number in range(recipe.steps):
        walk.advance(recipe, number, recipe.survey(walk, recipe))
    return walk.z


def harden(victim: Victim, x: Tensor, y: Tensor, recipes: Sequence[Recipe], rng: Draws) -> Tensor:
    """The point of the highest loss over all steps and restarts; the device is never waited for."""
    best = Best.nothing(x)
    for restart, recipe in enumerate(recipes):
        walk = Walk.begin(victim, x, y, recipe, rng.fork(restart))
        for number in range(recipe.steps):
            slope = recipe.survey(walk, recipe)
            best = best.after(walk.z, slope.value, best.fooled) if number else best
            walk.advance(recipe, number, slope)
        best = best.after(walk.z, walk.height(recipe).value, best.fooled)
    return best.z


def search(victim: Victim, x: Tensor, y: Tensor, recipes: Sequence[Recipe], rng: Draws) -> Tensor:
    """The first point that fools, else the one of the highest loss; a restart is for those still standing."""
    best = Best.nothing(x)
    for restart, recipe in enumerate(recipes):
        standing = best.standing()
        if not len(standing):
            break
        walk = Walk.begin(victim.take(standing), x[standing], y[standing], recipe, rng.fork(restart).take(standing))
        ascent = climb_in_bfloat16 if recipe.bfloat16 and x.dtype == torch.float32 else climb
        best = best.put(standing, ascent(walk, recipe, best.take(standing)))
    return best.z


__all__ = ["Estimator", "Recipe", "ascend", "exact_slope", "follow", "harden", "relay", "search"]
