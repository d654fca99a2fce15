"""Jaderberg et al., "Population Based Training of Neural Networks" (2017): the worst continue from the best, changed.

Written by hand, in Tune's asynchronous form: its quantiles, its factors, its neighbours. Unlike there a trial with NaN
is among the worst, where Tune leaves it alone for ever, and a changed value never leaves the space.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from advorch.canonical import Json
from advorch.seeds import derive
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Dimension, Goal, Scheduler
from advorch.tuning.mutation import explored
from advorch.tuning.stopping import Exploit, Verdict


@dataclass(slots=True)
class Individual:
    """A trial that runs: its values now, its score when it was last compared, and the step of that."""

    values: Mapping[str, Json]
    score: float | None = None
    compared: int = 0


class Population:
    """Every `interval` steps a trial is compared with the others that run."""

    def __init__(
        self, space: tuple[Dimension, ...], scheduler: Scheduler, goal: Goal, *, seed: int, lookup: Lookup
    ) -> None:
        self._space, self._scheduler, self._seed, self._lookup = space, scheduler, seed, lookup
        self._sign = 1.0 if goal == "maximize" else -1.0
        self._running: dict[int, Individual] = {}
        self._exploits = 0

    def added(self, trial: int, values: Mapping[str, Json]) -> None:
        """It joins with its values."""
        self._running[trial] = Individual(values)

    def reported(self, trial: int, step: int, value: float) -> Verdict | Exploit:
        """A trial of the worst quantile goes on from one of the best; not at its end, nor in its first steps."""
        if not self._due(trial, step):
            return Verdict.GO
        mine = self._running[trial]
        mine.score, mine.compared = -math.inf if math.isnan(value) else self._sign * value, step
        worst, best = self._quantiles()
        return self._exploit(trial, best) if trial in worst and best else Verdict.GO

    def ended(self, trial: int, step: int, value: float | None) -> None:
        """Whoever is done is compared with no more, as in Tune."""
        self._running.pop(trial, None)

    def freed(self) -> tuple[list[int], list[int]]:
        """Nobody is paused."""
        return [], []

    def closed(self) -> None:
        """Nobody waits for company."""

    def _due(self, trial: int, step: int) -> bool:
        rule = self._scheduler
        ending = rule.max is not None and step >= rule.max
        return step >= rule.grace and not ending and step - self._running[trial].compared >= rule.interval

    def _quantiles(self) -> tuple[list[int], list[int]]:
        scores = {trial: item.score for trial, item in self._running.items() if item.score is not None}
        ranked = sorted(scores, key=lambda trial: (scores[trial], -trial))
        share = min(math.ceil(len(ranked) * self._scheduler.quantile), len(ranked) // 2)
        best = ranked[len(ranked) - share :]
        return ranked[:share], [trial for trial in best if math.isfinite(scores[trial])]

    def _exploit(self, trial: int, best: list[int]) -> Exploit:
        rng = random.Random(derive(self._seed, "exploit", self._exploits))
        self._exploits += 1
        donor = rng.choice(best)
        source = self._running[donor]
        values = explored(self._space, source.values, self._scheduler.resample, rng, self._lookup)
        self._running[trial] = Individual(values, score=self._running[trial].score, compared=source.compared)
        return Exploit(donor, values)
