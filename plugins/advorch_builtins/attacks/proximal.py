"""Proximal gradient ascent: z <- project(z + alpha grad J(z, y)), the projection being the proximal map of the ball.

The step whose sign FGSM takes (Goodfellow, Shlens and Szegedy, ICLR 2015): where alpha times the gradient exceeds
epsilon everywhere, one step is FGSM in each norm. It fails where the gradient is small against epsilon / alpha, as with
confident models: the sign exists to undo that.
"""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.schedules import constant
from advorch.kit.attack.starts import at_clean, at_random
from advorch.kit.attack.step import Step
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_fixed import ProximalParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: ProximalParams, rng: Draws) -> Tensor:
    """Ascents along the gradient as it is, one for each restart."""
    return ascend(victim, x, y, raw_ascent(params), rng)


def raw_ascent(params: ProximalParams) -> Recipe:
    """Without sign and without normalisation."""
    return Recipe(
        steps=params.steps,
        direction=_gradient,
        schedule=constant(params.alpha),
        start=at_random if params.random_start else at_clean,
        restarts=params.restarts,
    )


def _gradient(step: Step) -> Tensor:
    return step.gradient
