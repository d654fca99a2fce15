"""Slopes that are not simply those at the point: ahead of it, of what a changed image shows, of a mean."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import Objective
from advorch.kit.attack.recipe import Estimator, Recipe, Survey, Walk, exact_slope
from advorch.kit.attack.slopes import Slope, View
from advorch.kit.attack.victim import Finish, Victim

Viewer: TypeAlias = Callable[[Walk], View]


def averaged(samples: int) -> Estimator:
    """The mean of so many back-propagated gradients of a model that draws, one after the other: memory holds one graph.

    The verdict on the way is that of the mean logits.
    """

    if samples == 1:
        return exact_slope

    def slope(victim: Victim, z: Tensor, y: Tensor, objective: Objective, rng: Draws) -> Slope:
        return _mean(lambda: victim.value_and_gradient(z, y, objective), samples)

    return slope


def seen(viewer: Viewer, samples: int = 1) -> Survey:
    """The gradient is the mean over views; the verdict is that of the point itself, where anybody asks for one."""

    def survey(walk: Walk, recipe: Recipe) -> Slope:
        objective = walk.objective(recipe)
        slope = _mean(lambda: walk.victim.value_and_gradient(walk.z, walk.y, objective, view=viewer(walk)), samples)
        if walk.victim.finish is Finish.LAST:
            return slope
        height = walk.height(recipe)
        return Slope(height.value, slope.gradient, height.logits)

    return survey


def _mean(draw: Callable[[], Slope], samples: int) -> Slope:
    value, gradient, logits = draw()
    if samples == 1:
        return Slope(value, gradient, logits)
    for _ in range(samples - 1):
        more = draw()
        value, gradient, logits = value + more.value, gradient + more.gradient, logits + more.logits
    return Slope(value / samples, gradient / samples, logits / samples)
