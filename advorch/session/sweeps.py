"""A sweep as it stands: its trials, what it has used of its budget, and which trial wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from advorch.canonical import Json
from advorch.plan.sweep import PlansTrials
from advorch.spec.tuning import Tuning
from advorch.store.manifest import Manifest
from advorch.tuning.book import Trial
from advorch.tuning.importance import importances, pareto, ranked
from advorch.tuning.promotion import finished, pin_fault, winners
from advorch.tuning.search import TrialState

if TYPE_CHECKING:
    import pandas as pd

HOUR = 3600.0


class SweepState(StrEnum):
    """How far a sweep is."""

    WAITING = "waiting"
    NEW = "not begun"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One cell of a sweep; `key` names its search, and `awaited` are the cells that it waits for.

    `run` is the live run that searches now, `result` what the sweep handed on, `pin` the trial that was chosen by hand.
    `planner` plans trials; of a sweep that was found in the record of a run there is none.
    """

    cell: str
    stage: str
    tuning: Tuning
    key: str = ""
    trials: Mapping[int, Trial] = field(default_factory=dict)
    pin: int | None = None
    result: Manifest | None = None
    run: str = ""
    awaited: tuple[str, ...] = ()
    planner: PlansTrials | None = None

    @property
    def state(self) -> SweepState:
        """How far it is."""
        if self.awaited:
            return SweepState.WAITING
        if self.run:
            return SweepState.RUNNING
        if self.result:
            return SweepState.DONE
        return SweepState.INTERRUPTED if self.trials else SweepState.NEW

    @property
    def winners(self) -> list[int]:
        """The trials that win as things stand, the best first; one that is pinned alone where it can be."""
        if self.pin is not None and not pin_fault(self.trials, self.pin):
            return [self.pin]
        return winners(self.trials.values(), self.tuning)

    @property
    def spent(self) -> dict[str, float]:
        """Trials, seconds on the clock and GPU hours, over all runs."""
        ends = [trial.end for trial in self.trials.values() if trial.end]
        return {
            "trials": float(len(self.trials)),
            "wall": max((end.elapsed for end in ends), default=0.0),
            "gpu_hours": sum(end.gpu_seconds for end in ends) / HOUR,
        }

    @property
    def importance(self) -> dict[str, float]:
        """The share of each dimension in how much the first objective varies."""
        return importances(finished(self.trials.values()), self.tuning)

    def counts(self) -> dict[str, int]:
        """How many trials are done, pruned, failed, and not over yet."""
        states = [trial_state(trial) for trial in self.trials.values()]
        return {state: states.count(state) for state in (*TrialState, "running")}

    def rows(self) -> list[dict[str, Any]]:
        """A row a trial: number, state, rank, what it drew, the objectives, all metrics, steps and seconds."""
        ranks = {number: rank for rank, number in enumerate(self._ranked(), start=1)}
        return [self._row(trial, ranks.get(trial.number)) for trial in self.trials.values()]

    def frame(self) -> "pd.DataFrame":
        """One row a trial, by its number: state, rank, a column a value and one a metric."""
        import pandas as pd

        rows = [{**row, **row.pop("values"), **row.pop("metrics")} for row in self.rows()]
        return pd.DataFrame(rows or None, columns=None if rows else ["trial"]).set_index("trial")

    def values(self, trial: int) -> Mapping[str, Json]:
        """What a trial drew."""
        return self.trials[trial].values

    def settings(self, trial: int) -> dict[str, Json]:
        """The `with:` of each stage inside, as the trial had it; empty where nobody can plan the trial."""
        if self.planner is None:
            return {}
        plan = self.planner.plan(self.values(trial))
        return {name: plan.origin(name).value for name in plan.cells}  # type: ignore[misc]  # what was written is JSON

    def metrics(self, trial: int) -> Mapping[str, float]:
        """What a trial measured."""
        end = self.trials[trial].end
        return end.metrics if end else {}

    def _ranked(self) -> list[int]:
        """Every trial that may win, best first; of several objectives those that nobody beats come first."""
        known = finished(self.trials.values())
        first = pareto(known, self.tuning) if self.tuning.select == "pareto" else []
        return [*first, *(number for number in ranked(known, self.tuning) if number not in first)]

    def _row(self, trial: Trial, rank: int | None) -> dict[str, Any]:
        end = trial.end
        metrics = dict(end.metrics) if end else {}
        return {
            "trial": trial.number,
            "state": trial_state(trial),
            "rank": rank,
            "values": dict(trial.values),
            **{item.metric: metrics.get(item.metric) for item in self.tuning.objectives},
            "steps": trial.step or None,
            "seconds": round(end.seconds, 3) if end else None,
            "metrics": metrics,
            "message": end.message if end else "",
        }


def trial_state(trial: Trial) -> str:
    """How a trial ended, or that it has not."""
    return trial.end.outcome.state.value if trial.end else "running"
