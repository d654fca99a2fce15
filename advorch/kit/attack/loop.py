"""The fixed-budget loop: start x objective x direction x projection x schedule x stop.

FGSM, BIM, PGD and their kin are a `Recipe` each. What is wanted of a sample in the end is the victim's `finish`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.starts import at_clean
from advorch.kit.attack.step import Direction, Memory, Schedule, Start, Step
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Slope, Victim

Estimator: TypeAlias = Callable[[Victim, Tensor, Tensor, Objective, Draws], Slope]

_PATIENCE = 5  # steps between two looks at who is fooled on a device where looking means waiting


def exact_slope(victim: Victim, z: Tensor, y: Tensor, objective: Objective, rng: Draws) -> Slope:
    """The gradient of one forward pass."""
    return victim.value_and_gradient(z, y, objective)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The parts of one attack."""

    steps: int
    direction: Direction
    schedule: Schedule
    start: Start = at_clean
    objective: Objective = cross_entropy
    slope: Estimator = exact_slope
    restarts: int = 1


def ascend(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """One point a sample inside `victim.ball(x)`, as the victim's `finish` asks."""
    if victim.finish is Finish.FOOLED:
        return search(victim, x, y, recipe, rng)
    if victim.finish is Finish.LAST and recipe.restarts == 1:
        return follow(victim, x, y, recipe, rng)
    return harden(victim, x, y, recipe, rng)


def follow(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """The last point of one ascent; nothing is judged and the device is never waited for."""
    walk = _Walk.begin(victim, x, y, recipe, rng.fork(0))
    for number in range(recipe.steps):
        walk.advance(recipe, number, walk.slope(recipe))
    return walk.z


def harden(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """The point of the highest loss over all steps and restarts; the device is never waited for."""
    best = Best.nothing(x)
    for restart in range(recipe.restarts):
        walk = _Walk.begin(victim, x, y, recipe, rng.fork(restart))
        for number in range(recipe.steps):
            slope = walk.slope(recipe)
            best = best.after(walk.z, slope.value, best.fooled) if number else best
            walk.advance(recipe, number, slope)
        best = best.after(walk.z, victim.value(walk.z, y, recipe.objective).value, best.fooled)
    return best.z


def search(victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> Tensor:
    """The first point that fools, else the one of the highest loss; a restart is for those still standing."""
    best = Best.nothing(x)
    for restart in range(recipe.restarts):
        standing = best.standing()
        if not len(standing):
            break
        walk = _Walk.begin(victim.take(standing), x[standing], y[standing], recipe, rng.fork(restart).take(standing))
        best = best.put(standing, _climb(walk, recipe, best.take(standing)))
    return best.z


def _climb(walk: "_Walk", recipe: Recipe, best: Best) -> Best:
    """One ascent in which every point is judged, the last one too; who is fooled leaves, and changes nobody else."""
    rows, own = torch.arange(len(walk.z), device=walk.z.device), best
    for number in range(recipe.steps):
        slope = walk.slope(recipe)
        fooled = walk.victim.judge(slope.logits, walk.y)
        own = own.after(walk.z, slope.value, fooled) if number else own.after_start(walk.z, slope.value, fooled)
        if _worth_a_look(number, walk.z):
            staying = own.standing()
            if len(staying) < len(rows):
                best = best.put(rows, own)
                rows, own, walk = rows[staying], own.take(staying), walk.take(staying)
                slope = Slope(*(column[staying] for column in slope))
            if not len(rows):
                return best
        walk.advance(recipe, number, slope)
    last = walk.victim.value(walk.z, walk.y, recipe.objective)
    own = own.after(walk.z, last.value, walk.victim.judge(last.logits, walk.y))
    return best.put(rows, own)


def _worth_a_look(number: int, z: Tensor) -> bool:
    return z.device.type == "cpu" or number % _PATIENCE == 0


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Where an ascent stands, and all that belongs to its samples."""

    victim: Victim
    y: Tensor
    ball: ThreatSet
    rng: Draws
    z: Tensor
    memory: Memory

    @classmethod
    def begin(cls, victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> "_Walk":
        ball = victim.ball(x)
        return cls(victim=victim, y=y, ball=ball, rng=rng, z=recipe.start(ball, rng), memory={})

    def take(self, index: Tensor) -> "_Walk":
        return _Walk(
            victim=self.victim.take(index),
            y=self.y[index],
            ball=self.ball.take(index),
            rng=self.rng.take(index),
            z=self.z[index],
            memory={name: rows[index] for name, rows in self.memory.items()},
        )

    def slope(self, recipe: Recipe) -> Slope:
        return recipe.slope(self.victim, self.z, self.y, recipe.objective, self.rng)

    def advance(self, recipe: Recipe, number: int, slope: Slope) -> None:
        value, gradient, _ = slope
        step = Step(
            number=number, z=self.z, value=value, gradient=gradient, ball=self.ball, rng=self.rng, memory=self.memory
        )
        self.z = self.ball.project(self.z + recipe.direction(step) * per_sample(recipe.schedule(step), self.z))
