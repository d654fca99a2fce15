"""Propose, look at the scores, keep what is better: searches that climb without a gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import Objective, margin
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim

Proposal: TypeAlias = Callable[[ThreatSet, Tensor, int, Draws], Tensor]
"""The point to ask about, from the ball, the best point so far (the sample itself at first) and the query's number."""

_PATIENCE = 10  # queries between two looks at who is fooled on a device where looking means waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The parts of one search."""

    propose: Proposal
    queries: int
    objective: Objective = margin


def keep_best(victim: Victim, x: Tensor, y: Tensor, trials: Trials, rng: Draws) -> Tensor:
    """The first proposal that fools, else the one of the highest objective; training asks all of them."""
    search = _Search(victim=victim, y=y, ball=victim.ball(x), rng=rng, best=Best.nothing(x))
    if victim.finish is Finish.FOOLED:
        return _until_fooled(search, trials).z
    for number in range(trials.queries):
        search.best = search.asked(trials, number, judged=False)
    return search.best.z


@dataclass(slots=True, kw_only=True)
class _Search:
    """Where a search stands, and all that belongs to its samples."""

    victim: Victim
    y: Tensor
    ball: ThreatSet
    rng: Draws
    best: Best

    def take(self, index: Tensor) -> "_Search":
        return _Search(
            victim=self.victim.take(index),
            y=self.y[index],
            ball=self.ball.take(index),
            rng=self.rng.take(index),
            best=self.best.take(index),
        )

    def asked(self, trials: Trials, number: int, *, judged: bool) -> Best:
        """The best point, with one more proposal seen; in training no verdict ranks above the objective."""
        z = trials.propose(self.ball, self.best.z, number, self.rng.fork(number))
        value, logits = self.victim.value(z, self.y, trials.objective)
        return self.best.after(z, value, self.victim.judge(logits, self.y) if judged else self.best.fooled)


def _until_fooled(search: _Search, trials: Trials) -> Best:
    """One query a sample at a time; who is fooled leaves, and changes nobody else."""
    whole, rows = search.best, torch.arange(len(search.y), device=search.y.device)
    for number in range(trials.queries):
        search.best = search.asked(trials, number, judged=True)
        if _worth_a_look(number, rows):
            staying = search.best.standing()
            if len(staying) < len(rows):
                whole = whole.put(rows, search.best)
                rows, search = rows[staying], search.take(staying)
            if not len(rows):
                return whole
    return whole.put(rows, search.best)


def _worth_a_look(number: int, rows: Tensor) -> bool:
    return rows.device.type == "cpu" or number % _PATIENCE == 0
