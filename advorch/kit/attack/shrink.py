"""The minimal-budget loop: look, judge, remember the nearest point that fools, move.

DeepFool, Carlini-Wagner, L-BFGS, DDN, FMN and FAB are a `Shrink` each. A victim with a minimal budget lets them look
everywhere; under a fixed budget, as in training, who is fooled within epsilon has found enough, and what is returned
lies in the ball.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from advorch.kit.attack.best import UNSEEN
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.objectives import Objective
from advorch.kit.attack.slopes import Height, Slope
from advorch.kit.attack.step import Memory
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Budget

_PATIENCE = 5  # steps between two looks at who is done on a device where looking means waiting


class Seen(Protocol):
    """What a look at a point tells at least."""

    @property
    def value(self) -> Tensor: ...
    @property
    def logits(self) -> Tensor: ...


S = TypeVar("S", bound=Seen)


@dataclass(slots=True, kw_only=True)
class Walk:
    """Where a search stands; what its parts put into `memory` has one row a sample."""

    victim: Victim
    y: Tensor
    ball: ThreatSet
    z: Tensor
    nearest: Nearest
    fooled: Tensor
    number: int = 0
    memory: Memory = field(default_factory=dict)

    def take(self, index: Tensor) -> "Walk":
        """The same for the samples at an index."""
        return Walk(
            victim=self.victim.take(index),
            y=self.y[index],
            ball=self.ball.take(index),
            z=self.z[index],
            nearest=self.nearest.take(index),
            fooled=self.fooled[index],
            number=self.number,
            memory={name: rows[index] for name, rows in self.memory.items()},
        )


def nobody(walk: Walk) -> Tensor:
    """All samples take all steps."""
    return torch.zeros_like(walk.fooled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrink(Generic[S]):
    """The parts of one attack: what to ask of the victim at a point, where to go, and who need go no further.

    With a confidence only points whose value, a margin then, reaches it count as fooled.
    """

    steps: int
    look: Callable[[Walk], S]
    move: Callable[[Walk, S], Tensor]
    done: Callable[[Walk], Tensor] = nobody
    confidence: float = 0.0


def slope_of(objective: Objective) -> Callable[[Walk], Slope]:
    """Value and gradient of an objective."""
    return lambda walk: walk.victim.value_and_gradient(walk.z, walk.y, objective)


def height_of(objective: Objective) -> Callable[[Walk], Height]:
    """The value of an objective alone."""
    return lambda walk: walk.victim.value(walk.z, walk.y, objective)


def shrink(  # noqa: PLR0913 - a search begins at any point and with any memory
    victim: Victim,
    x: Tensor,
    y: Tensor,
    recipe: Shrink[S],
    *,
    objective: Objective,
    start: Tensor | None = None,
    memory: Memory | None = None,
) -> Nearest:
    """One search from a start in the box; `objective` ranks what does not fool."""
    walk = _begin(victim, x, y, start, memory)
    rows, whole = torch.arange(len(x), device=x.device), walk.nearest
    for walk.number in range(recipe.steps):
        seen = recipe.look(walk)
        _remember(walk, recipe.confidence, seen.value, seen.logits)
        if victim.finish is Finish.FOOLED and _worth_a_look(walk):
            done = recipe.done(walk) | _enough(walk)
            if bool(done.any()):
                whole, staying = whole.put(rows, walk.nearest), (~done).nonzero().squeeze(1)
                if not len(staying):
                    return whole
                rows, seen, walk = rows[staying], _rows_of(seen, staying), walk.take(staying)
        walk.z = recipe.move(walk, seen)
    walk.number = recipe.steps
    _remember(walk, recipe.confidence, *walk.victim.value(walk.z, walk.y, objective))
    return whole.put(rows, walk.nearest)


def outcome(victim: Victim, x: Tensor, nearest: Nearest) -> Tensor:
    """What an attack returns: the nearest point found, inside the set that the victim allows."""
    victim.note_steps(torch.where(nearest.fooled, nearest.step, UNSEEN))
    return victim.ball(x).project(nearest.z)


def unfinished(victim: Victim, x: Tensor, nearest: Nearest) -> Tensor:
    """The positions of those who may still gain from another search; all of them where nobody may wait for a device."""
    if victim.finish is not Finish.FOOLED or victim.budget is Budget.MINIMAL:
        return torch.arange(len(x), device=x.device)
    return (~nearest.within(victim.ball(x).epsilon)).nonzero().squeeze(1)


def _begin(victim: Victim, x: Tensor, y: Tensor, start: Tensor | None, memory: Memory | None) -> Walk:
    return Walk(
        victim=victim,
        y=y,
        ball=victim.ball(x),
        z=x if start is None else start,
        nearest=Nearest.nothing(x),
        fooled=torch.zeros(len(x), dtype=torch.bool, device=x.device),
        memory=dict(memory or {}),
    )


def _remember(walk: Walk, confidence: float, value: Tensor, logits: Tensor) -> None:
    walk.fooled = walk.victim.judge(logits, walk.y)
    if confidence:
        walk.fooled = walk.fooled & (value >= confidence)
    record = walk.nearest.after if walk.number else walk.nearest.after_start
    walk.nearest = record(walk.z, walk.ball.distance(walk.z), value, walk.fooled, walk.number)


def _enough(walk: Walk) -> Tensor:
    """Under a fixed budget a point inside the ball is all that is wanted."""
    if walk.victim.budget is Budget.MINIMAL:
        return nobody(walk)
    return walk.nearest.within(walk.ball.epsilon)


def _worth_a_look(walk: Walk) -> bool:
    return walk.z.device.type == "cpu" or walk.number % _PATIENCE == 0


def _rows_of(seen: S, index: Tensor) -> S:
    return type(seen)(*(column[index] for column in seen))  # type: ignore[attr-defined]
