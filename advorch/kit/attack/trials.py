"""Propose, look at the scores, keep what is better: searches that climb without a gradient.

A point that was asked about before is no better than the best, so nobody asks about it again: small windows on a
picture of one channel are often what is there already, or what has just been refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.fingerprint import fingerprint
from advorch.kit.attack.objectives import Objective, margin
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim

Proposal: TypeAlias = Callable[[ThreatSet, Tensor, int, Draws], Tensor]
"""The point to ask about, from the ball, the best point so far (the sample itself at first) and the query's number."""

_DOUBT = 2.0**-7  # of the spread of the logits: twice what bfloat16 changes in a margin of a small net
_PATIENCE = 10  # queries between two looks at who is fooled on a device where looking means waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The parts of one search. In bfloat16 only the verdicts are in full precision."""

    propose: Proposal
    queries: int
    objective: Objective = margin
    bfloat16: bool = False


def keep_best(victim: Victim, x: Tensor, y: Tensor, trials: Trials, rng: Draws) -> Tensor:
    """The first proposal that fools, else the one of the highest objective."""
    if victim.finish is not Finish.FOOLED:
        return _ask_everything(victim, x, y, trials, rng).z
    known = torch.zeros(len(x), trials.queries, dtype=torch.int64, device=x.device)
    return _until_fooled(
        _Search(victim=victim, y=y, ball=victim.ball(x), rng=rng, best=Best.nothing(x), known=known), trials
    ).z


def _ask_everything(victim: Victim, x: Tensor, y: Tensor, trials: Trials, rng: Draws) -> Best:
    """In training nobody waits for the device, and no verdict ranks above the objective."""
    best, ball = Best.nothing(x), victim.ball(x)
    for number in range(trials.queries):
        z = trials.propose(ball, best.z, number, rng.fork(number))
        best = best.after(z, victim.value(z, y, trials.objective).value, best.fooled)
    return best


@dataclass(slots=True, kw_only=True)
class _Search:
    """Where a search stands, and all that belongs to its samples."""

    victim: Victim
    y: Tensor
    ball: ThreatSet
    rng: Draws
    best: Best
    known: Tensor

    def take(self, index: Tensor) -> "_Search":
        return _Search(
            victim=self.victim.take(index),
            y=self.y[index],
            ball=self.ball.take(index),
            rng=self.rng.take(index),
            best=self.best.take(index),
            known=self.known[index],
        )

    def asked(self, trials: Trials, number: int) -> Best:
        """The best point, with one more proposal seen by those for whom it is new."""
        z = trials.propose(self.ball, self.best.z, number, self.rng.fork(number))
        rows = self._unheard_of(z, number)
        see = _seen_in_bfloat16 if trials.bfloat16 else _seen
        if len(rows) == len(z):
            return see(self.best, self.victim, z, self.y, trials.objective)
        part = self.best.take(rows)
        if len(rows):
            part = see(part, self.victim.take(rows), z[rows], self.y[rows], trials.objective)
        return self.best.put(rows, part)

    def _unheard_of(self, z: Tensor, number: int) -> Tensor:
        """The positions of those whose proposal is new to them."""
        state = fingerprint(z)
        heard = (self.known[:, :number] == state[:, None]).any(1)
        self.known[:, number] = state
        return (~heard).nonzero().squeeze(1)


def _seen(best: Best, victim: Victim, z: Tensor, y: Tensor, objective: Objective) -> Best:
    value, logits = victim.value(z, y, objective)
    return best.after(z, value, victim.judge(logits, y))


def _seen_in_bfloat16(best: Best, victim: Victim, z: Tensor, y: Tensor, objective: Objective) -> Best:
    """The search climbs what the model is in bfloat16; what is better and may fool is judged in full."""
    with torch.autocast(z.device.type, torch.bfloat16):
        value, logits = victim.value(z, y, objective)
    fooled = torch.zeros_like(best.fooled)
    within = _lead(victim, logits, y) > -_DOUBT * (logits.amax(1) - logits.amin(1))
    near = (within & (value > best.value)).nonzero().squeeze(1)
    if len(near):
        full = victim.take(near).value(z[near], y[near], objective).logits
        fooled = fooled.index_copy(0, near, victim.judge(full, y[near]))
    return best.after(z, value, fooled)


def _lead(victim: Victim, logits: Tensor, y: Tensor) -> Tensor:
    """Above zero where the goal is reached."""
    return -margin(logits, y) if victim.targeted else margin(logits, y)


def _until_fooled(search: _Search, trials: Trials) -> Best:
    """One query a sample at a time; who is fooled leaves, and changes nobody else."""
    whole, rows = search.best, torch.arange(len(search.y), device=search.y.device)
    for number in range(trials.queries):
        search.best = search.asked(trials, number)
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
