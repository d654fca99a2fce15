"""Who wins a search: the best, several of the best, or all whom no other beats in everything."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from advorch.canonical import Json
from advorch.errors import ErrorClass, StageFailed
from advorch.plan.scope import Name, Scope
from advorch.spec.expression import Expression, ExpressionError, UnknownName
from advorch.spec.tuning import Tuning
from advorch.store.manifest import Manifest
from advorch.tuning.book import Trial
from advorch.tuning.importance import Finished, pareto, ranked
from advorch.tuning.search import TrialState

Measured = Mapping[str, float]


def finished(trials: Iterable[Trial]) -> list[Finished]:
    """The trials that are over, as ranking takes them."""
    return [
        Finished(number=trial.number, values=trial.values, outcome=trial.end.outcome) for trial in trials if trial.end
    ]


def winners(trials: Iterable[Trial], tuning: Tuning) -> list[int]:
    """The numbers of the trials that win, best first; none where no trial measured anything."""
    known = finished(trials)
    if tuning.select == "pareto":
        return pareto(known, tuning)
    return ranked(known, tuning)[: tuning.winners if tuning.select == "top_k" else 1]


def chosen(trials: Mapping[int, Trial], tuning: Tuning, pin: int | None) -> list[int]:
    """The winners; a trial that is pinned comes before them, in place of the best or of the last that would win."""
    best = winners(trials.values(), tuning)
    if pin is None:
        return best
    if fault := pin_fault(trials, pin):
        raise StageFailed(fault, error_class=ErrorClass.USER, hint="advorch sweep promote FILE STAGE --clear")
    others = [number for number in best if number != pin]
    return [pin, *others] if tuning.select == "pareto" else [pin, *others][: max(1, len(best))]


def pin_fault(trials: Mapping[int, Trial], number: int) -> str:
    """Why a trial cannot be handed on; nothing where it can."""
    trial = trials.get(number)
    if trial is None:
        last = f": there are 0 to {max(trials)}" if trials else ""
        return f"there is no trial {number} in this search{last}"
    if trial.end is None:
        return f"trial {number} is not over"
    state = trial.end.outcome.state
    if state is TrialState.DONE:
        return ""
    why = f": {trial.end.message}" if trial.end.message else ""
    return f"trial {number} {'was stopped early' if state is TrialState.PRUNED else 'failed'}{why}: it has no result"


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads objectives and constraints off what the cells of a trial measured."""

    tuning: Tuning
    scope: Scope
    name_of: Callable[[str, str], str]

    def measured(self, manifests: Mapping[str, Manifest]) -> dict[str, float]:
        """The metrics of all inner cells under the names that they have outside."""
        return {
            self.name_of(cell, metric): value
            for cell, manifest in manifests.items()
            for metric, value in manifest.metrics.items()
        }

    def objectives(self, measured: Measured) -> tuple[float, ...]:
        """One value an objective; NaN where it was not measured."""
        return tuple(measured.get(item.metric, math.nan) for item in self.tuning.objectives)

    def violations(self, measured: Measured, values: Mapping[str, Json]) -> tuple[float, ...]:
        """One number a constraint: 1 where it does not hold, -1 where it does."""
        return tuple(-1.0 if self._holds(item, measured, values) else 1.0 for item in self.tuning.constraints)

    def _holds(self, constraint: Expression, measured: Measured, values: Mapping[str, Json]) -> bool:
        def lookup(name: Name) -> object:
            metric = ".".join(name)
            if metric in measured:
                return measured[metric]
            if name[0] == "trial" and len(name) == 2 and name[1] in values:
                return values[name[1]]
            if name[0] in ("params", "matrix", "run"):
                return self.scope(name)
            raise UnknownName(name, list(measured))

        try:
            return constraint.evaluate(lookup) is True
        except ExpressionError:
            return False  # a metric that was not measured


def median(values: Sequence[float], goal: str) -> int:
    """The place of the median, of two in the middle the worse: a refit is not chosen for its luck."""
    order = sorted(range(len(values)), key=lambda index: values[index], reverse=goal == "minimize")
    return order[(len(order) - 1) // 2]
