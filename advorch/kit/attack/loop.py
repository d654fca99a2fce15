"""The fixed-budget loop: start x objective x direction x projection x schedule x stop.

FGSM, BIM, PGD and their kin are a `Recipe` each. What is wanted of a sample in the end is the victim's `finish`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from advorch.kit.attack.best import UNSEEN, Best
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.recipe import Estimator, Recipe, Walk, exact_slope
from advorch.kit.attack.slots import Slots
from advorch.kit.attack.starts import at_clean
from advorch.kit.attack.victim import Finish, Victim


def ascend(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """One point a sample inside `victim.ball(x)`, as the victim's `finish` asks."""
    return relay(victim, x, y, [recipe] * recipe.restarts, rng)


def relay(victim: Victim, x: Tensor, y: Tensor, recipes: Sequence[Recipe], rng: Draws) -> Tensor:
    """The same with a recipe of its own for every restart."""
    fits = victim.batch is None or len(x) <= victim.batch
    if len(recipes) == 1 and (victim.finish is Finish.LAST or (fits and _leaves_no_choice(recipes[0]))):
        return follow(victim, x, y, recipes[0], rng)
    if victim.finish is Finish.FOOLED:
        return search(victim, x, y, recipes, rng)
    return harden(victim, x, y, recipes, rng)


def _leaves_no_choice(recipe: Recipe) -> bool:
    """One step from the sample itself, which is nobody's adversarial: the point it leads to is all there is."""
    return recipe.steps == 1 and recipe.start is at_clean and recipe.approach is None


def follow(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """The last point of one ascent; nothing is judged and the device is never waited for."""
    walk = Walk.begin(victim, x, y, recipe, rng.fork(0))
    for number in range(recipe.steps):
        walk.advance(recipe, number, recipe.survey(walk, recipe))
    victim.note_steps(torch.full((len(x),), recipe.steps, device=x.device))
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
    best = Slots(victim, x, y, recipes, rng).run()
    victim.note_steps(torch.where(best.fooled, best.step, UNSEEN))
    return best.z


__all__ = ["Estimator", "Recipe", "ascend", "exact_slope", "follow", "harden", "relay", "search"]
