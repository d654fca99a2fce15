"""Li et al., "Hyperband" (2018): brackets of successive halving, from many short trials to few long ones.

Written by hand: Tune's class decides about a bracket that is not yet full as soon as those in it wait, so that one
trial at a time is never compared with any, and a failure in a later rung leaves the others waiting for ever.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from advorch.canonical import Json
from advorch.spec.tuning import Goal
from advorch.tuning.stopping import Verdict


@dataclass(slots=True)
class Bracket:
    """Trials that are compared with each other at each milestone; scores are those of the present one."""

    size: int
    milestones: tuple[int, ...]
    rung: int = 0
    joined: int = 0
    members: list[int] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)
    finished: dict[int, float | None] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether there is another milestone."""
        return self.rung < len(self.milestones)

    def join(self, trial: int) -> None:
        """One more."""
        self.joined += 1
        self.members.append(trial)

    def decided(self) -> bool:
        """Whether everybody is there, at the milestone or at the end of its own way."""
        there = self.scores.keys() | self.finished.keys()
        return self.open and self.joined >= self.size and all(trial in there for trial in self.members)

    def halve(self, reduction: float) -> tuple[list[int], list[int]]:
        """On to the next rung: who goes on, and who is over; of equals the one that began earlier goes on."""
        ranked = sorted(self._comparable(), key=lambda trial: (-self._score(trial), trial))
        kept = ranked[: max(1, math.floor(len(self.members) / reduction + 1e-9))]
        waiting = [trial for trial in self.members if trial not in self.finished]
        self.rung, self.members, self.scores = self.rung + 1, sorted(kept), {}
        return [trial for trial in waiting if trial in kept], [trial for trial in waiting if trial not in kept]

    def _comparable(self) -> list[int]:
        return [trial for trial in self.members if self.finished.get(trial, 0.0) is not None]

    def _score(self, trial: int) -> float:
        value = self.finished.get(trial)
        return self.scores[trial] if value is None else value


class Hyperband:
    """A trial that reaches a milestone waits until its bracket is full and all of it is there."""

    def __init__(self, most: int, least: int, reduction: float, goal: Goal) -> None:
        self._sign = 1.0 if goal == "maximize" else -1.0
        self._reduction = reduction
        self._shapes = list(_shapes(most, least, reduction))
        self._brackets: list[Bracket] = []
        self._of: dict[int, Bracket] = {}
        self._go: list[int] = []
        self._stop: list[int] = []
        self._over: set[int] = set()

    def added(self, trial: int, values: Mapping[str, Json]) -> None:
        """It joins the newest bracket, or begins the next."""
        if not self._brackets or self._brackets[-1].joined >= self._brackets[-1].size:
            size, milestones = self._shapes[len(self._brackets) % len(self._shapes)]
            self._brackets.append(Bracket(size, milestones))
        self._of[trial] = self._brackets[-1]
        self._of[trial].join(trial)

    def reported(self, trial: int, step: int, value: float) -> Verdict:
        """At a milestone a trial waits, but for the last, whose report decides."""
        bracket = self._of[trial]
        self._told(trial)
        if trial in self._over:
            return Verdict.STOP
        if not bracket.open or step < bracket.milestones[bracket.rung]:
            return Verdict.GO
        bracket.scores.setdefault(trial, self._score(value))
        return self._own(trial) if self._halved(bracket) else Verdict.PAUSE

    def ended(self, trial: int, step: int, value: float | None) -> None:
        """Whoever completed is still compared with; whoever failed is worse than all."""
        bracket = self._of[trial]
        self._told(trial)
        if trial not in self._over:
            bracket.finished[trial] = None if value is None else self._score(value)
            self._halved(bracket)

    def freed(self) -> tuple[list[int], list[int]]:
        """Those about whom was decided since the last call."""
        freed = self._go, self._stop
        self._go, self._stop = [], []
        return freed

    def closed(self) -> None:
        """The newest bracket is full with what it has; whoever comes later begins the next."""
        if self._brackets:
            self._brackets[-1].size = self._brackets[-1].joined
            self._halved(self._brackets[-1])

    def _told(self, trial: int) -> None:
        """Whoever reports has its answer with that; in a replay nobody asks who was freed on the way."""
        self._go = [other for other in self._go if other != trial]
        self._stop = [other for other in self._stop if other != trial]

    def _halved(self, bracket: Bracket) -> bool:
        if not bracket.decided():
            return False
        go, stop = bracket.halve(self._reduction)
        self._go += go
        self._stop += stop
        self._over.update(stop)
        return True

    def _own(self, trial: int) -> Verdict:
        """The verdict of the trial whose report decided: it is told at once and does not wait to be freed."""
        mine = self._go if trial in self._go else self._stop
        mine.remove(trial)
        return Verdict.GO if mine is self._go else Verdict.STOP

    def _score(self, value: float) -> float:
        return -math.inf if math.isnan(value) else self._sign * value


def _shapes(most: int, least: int, reduction: float) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Size and milestones of each bracket, as in Algorithm 1 with R = most / least; at `most` nothing is decided."""
    deepest = math.floor(math.log(most / least) / math.log(reduction) + 1e-9)
    for halvings in range(deepest, -1, -1):
        size = math.ceil((deepest + 1) / (halvings + 1) * reduction**halvings - 1e-9)
        yield size, tuple(math.floor(most * reduction ** (i - halvings) + 1e-9) for i in range(halvings))
