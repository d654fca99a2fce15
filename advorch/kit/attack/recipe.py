"""The replaceable parts of a fixed-budget attack, and one ascent that they steer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.slopes import Height, Slope
from advorch.kit.attack.starts import at_clean
from advorch.kit.attack.step import Direction, Memory, Schedule, Start, Step
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim

Estimator: TypeAlias = Callable[[Victim, Tensor, Tensor, Objective, Draws], Slope]
Survey: TypeAlias = "Callable[[Walk, Recipe], Slope]"
Aim: TypeAlias = "Callable[[Walk], Objective]"
Approach: TypeAlias = "Callable[[Walk, Recipe], Tensor]"
Advance: TypeAlias = Callable[[Step, Direction, Schedule], Tensor]


def exact_slope(victim: Victim, z: Tensor, y: Tensor, objective: Objective, rng: Draws) -> Slope:
    """The gradient of one forward pass."""
    return victim.value_and_gradient(z, y, objective)


def where_it_stands(walk: "Walk", recipe: "Recipe") -> Slope:
    """The slope at the point itself."""
    return recipe.slope(walk.victim, walk.z, walk.y, walk.objective(recipe), walk.rng)


def projected(step: Step, direction: Direction, schedule: Schedule) -> Tensor:
    """A step in the direction, brought back into the set."""
    return step.ball.project(torch.addcmul(step.z, direction(step), per_sample(schedule(step), step.z)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The parts of one attack.

    `slope` estimates a gradient at a point, `survey` chooses the point; `aim` makes an objective of what a walk knows
    of its samples; `approach` goes on from the start, by `ahead` steps of its own; `advance` turns direction and
    length into the next point. A `cyclic` attack remembers nothing, so that whoever comes back to a point goes round;
    `bfloat16` is for the search alone.
    """

    steps: int
    direction: Direction
    schedule: Schedule
    start: Start = at_clean
    objective: Objective = cross_entropy
    slope: Estimator = exact_slope
    restarts: int = 1
    aim: "Aim | None" = None
    approach: "Approach | None" = None
    ahead: int = 0
    survey: Survey = where_it_stands
    advance: Advance = projected
    cyclic: bool = False
    bfloat16: bool = False


@dataclass(slots=True, kw_only=True)
class Walk:
    """Where an ascent stands, and all that belongs to its samples."""

    victim: Victim
    y: Tensor
    ball: ThreatSet
    rng: Draws
    z: Tensor
    memory: Memory

    @classmethod
    def begin(cls, victim: Victim, x: Tensor, y: Tensor, recipe: Recipe, rng: Draws) -> "Walk":
        """At the recipe's start."""
        ball = victim.ball(x)
        walk = cls(victim=victim, y=y, ball=ball, rng=rng, z=recipe.start(ball, rng), memory={})
        if recipe.approach is not None:
            walk.z = recipe.approach(walk, recipe)
        return walk

    def take(self, index: Tensor) -> "Walk":
        """The walk of some of the samples, by position."""
        return Walk(
            victim=self.victim.take(index),
            y=self.y[index],
            ball=self.ball.take(index),
            rng=self.rng.take(index),
            z=self.z[index],
            memory={name: rows[index] for name, rows in self.memory.items()},
        )

    def objective(self, recipe: Recipe) -> Objective:
        """What these samples climb."""
        return recipe.objective if recipe.aim is None else recipe.aim(self)

    def height(self, recipe: Recipe) -> Height:
        """How high the point is, without a gradient."""
        return self.victim.value(self.z, self.y, self.objective(recipe))

    def advance(self, recipe: Recipe, number: int, slope: Slope) -> None:
        """To the next point."""
        value, gradient, _ = slope
        step = Step(
            number=number, z=self.z, value=value, gradient=gradient, ball=self.ball, rng=self.rng, memory=self.memory
        )
        self.z = recipe.advance(step, recipe.direction, recipe.schedule)
