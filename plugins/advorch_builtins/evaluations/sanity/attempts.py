"""The probing attacks: small, plain, and without the safety nets that attacks of the catalog have."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import relay
from advorch.kit.attack.objectives import Objective, cross_entropy, margin
from advorch.kit.attack.recipe import Recipe
from advorch.kit.attack.sampling import first_that_fools
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_clean, at_random
from advorch.kit.attack.step import Direction
from advorch.kit.attack.threat_set import ThreatSet
from advorch_builtins.attacks import square
from advorch_builtins.attacks.catalog_black_box import SquareParams
from advorch_builtins.evaluations.sanity.probe import Probe

Run: TypeAlias = Callable[[Probe], Tensor | None]

_STEEPEST: Mapping[Norm, Direction] = MappingProxyType({Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(0.05)})


def ascent(steps: int, norm: Norm, objective: Objective = cross_entropy) -> Recipe:
    """Projected steps from the sample itself, long enough to cross the ball."""
    length = share_of_epsilon(1.0 if steps == 1 else 2.5 / steps)
    return Recipe(steps=steps, direction=_STEEPEST[norm], schedule=length, start=at_clean, objective=objective)


def climbed(probe: Probe, recipe: Recipe, *, restarts: int = 1, radius: float | None = None) -> Tensor:
    """The first ascent begins at the sample, all others anywhere in the ball; more restarts begin as fewer do."""
    elsewhere = Recipe(
        steps=recipe.steps,
        direction=recipe.direction,
        schedule=recipe.schedule,
        start=at_random,
        objective=recipe.objective,
    )
    data, rng = probe.attacked, probe.draws("ascent")
    return relay(probe.victim(radius), data.x, data.y, [recipe] + [elsewhere] * (restarts - 1), rng)


def _steps(probe: Probe, factor: int, objective: Objective = cross_entropy) -> Recipe:
    return ascent(probe.params.steps * factor, probe.params.norm, objective)


def _fgsm(probe: Probe) -> Tensor:
    return climbed(probe, ascent(1, probe.params.norm))


def _zero(probe: Probe) -> Tensor:
    return climbed(probe, ascent(1, probe.params.norm), radius=0.0)


def _within(share: float, probe: Probe) -> Tensor:
    return climbed(probe, _steps(probe, 1), radius=share * probe.params.epsilon)


def _of_the_box(share: float, probe: Probe) -> Tensor | None:
    whole = probe.whole()
    return None if whole is None else climbed(probe, _steps(probe, 1), restarts=2, radius=share * whole)


def _repeated(times: int, probe: Probe) -> Tensor:
    return climbed(probe, _steps(probe, 1), restarts=times * probe.params.restarts)


def _square(probe: Probe) -> Tensor | None:
    """Random squares; they know linf and l2, and paint corners of a box."""
    if probe.params.norm is Norm.L1 or probe.data.box is None:
        return None
    params, data = SquareParams(queries=probe.params.queries), probe.attacked
    return square.perturb(probe.victim(), data.x, data.y, params, probe.draws("square"))


def _noise(probe: Probe) -> Tensor:
    data = probe.attacked
    sampler = _corner if probe.params.norm is Norm.LINF else ThreatSet.random
    return first_that_fools(probe.victim(), data.x, data.y, sampler, probe.params.draws, probe.draws("noise"))


def _corner(ball: ThreatSet, rng: Draws) -> Tensor:
    """As far from the sample as the gradient attack may go."""
    shape = ball.x.shape[1:]
    step = rng.sign(shape, like=ball.x) * ball.epsilon.view(-1, *[1] * len(shape))
    return ball.project(ball.x + step)


ATTEMPTS: Mapping[str, Run] = MappingProxyType(
    {
        "fgsm": _fgsm,
        "nothing": _zero,
        "quarter": partial(_within, 0.25),
        "half": partial(_within, 0.5),
        "ascent": lambda probe: climbed(probe, _steps(probe, 1)),
        "long": lambda probe: climbed(probe, _steps(probe, 2)),
        "margin": lambda probe: climbed(probe, _steps(probe, 1, margin)),
        "restarts": partial(_repeated, 1),
        "twice": partial(_repeated, 2),
        "half box": partial(_of_the_box, 0.5),
        "whole box": partial(_of_the_box, 1.0),
        "square": _square,
        "noise": _noise,
    }
)
GRADIENT = ("fgsm", "quarter", "half", "ascent", "long", "margin", "restarts", "twice")
WITHOUT_GRADIENT = ("square", "noise")


def measure(probe: Probe, name: str) -> dict[str, Tensor]:
    """Two columns: whom the attempt fooled, and the log-odds where it ended."""
    found = None
    if name in WITHOUT_GRADIENT or probe.differentiable:
        found = probe.attempt(name, ATTEMPTS[name])
    if found is None:
        return {column: probe.constant(torch.nan) for column in columns_of(name)}
    return {name: probe.spread(found.fooled), f"odds of {name}": probe.spread(found.odds)}


def columns_of(name: str) -> tuple[str, str]:
    """The columns of an attempt."""
    return name, f"odds of {name}"
