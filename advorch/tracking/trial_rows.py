"""The trials of a sweep as the journal of a run knows them, the best first."""

import math
from dataclasses import dataclass

from advorch.canonical import Json
from advorch.tracking.runs import CellRecord, RunRecord
from advorch.tracking.searches import MEASURED, objectives, shown_value


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial; `objectives` holds what was measured of them, `step` the last one that was reported."""

    cell: str
    number: int
    status: str
    values: dict[str, Json]
    objectives: dict[str, float]
    step: int | None
    seconds: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRows:
    """A sweep with its trials, those first that measured the most, or the least, of its first objective."""

    sweep: str
    dimensions: tuple[str, ...]
    objectives: tuple[tuple[str, str], ...]
    trials: tuple[TrialRow, ...]

    def value(self, trial: TrialRow, dimension: str) -> str:
        """What a trial drew, in few letters; empty where the dimension was not there."""
        return shown_value(trial.values[dimension]) if dimension in trial.values else ""

    def counts(self) -> dict[str, int]:
        """How many trials came to what."""
        states = [trial.status for trial in self.trials]
        return {state: states.count(state) for state in dict.fromkeys(states)}


def sweep_rows(record: RunRecord) -> list[SweepRows]:
    """The sweeps of a run of which it knows trials."""
    return [_rows(record, cell) for name, cell in record.own.items() if record.trials(name)]


def _rows(record: RunRecord, sweep: CellRecord) -> SweepRows:
    goals = objectives(sweep.params)
    trials = [_row(cell, goals) for cell in record.trials(sweep.cell)]
    return SweepRows(
        sweep=sweep.cell,
        dimensions=tuple(dict.fromkeys(name for trial in trials for name in trial.values)),
        objectives=goals,
        trials=tuple(sorted(trials, key=lambda trial: (_loss(trial, goals), trial.number))),
    )


def _row(cell: CellRecord, goals: tuple[tuple[str, str], ...]) -> TrialRow:
    measured = cell.metrics if cell.status in {status.value for status in MEASURED} else {}
    return TrialRow(
        cell=cell.cell,
        number=int(cell.cell.rpartition("/")[2]),
        status=cell.status,
        values=cell.params,
        objectives={metric: measured[metric] for metric, _ in goals if metric in measured},
        step=cell.step,
        seconds=cell.seconds,
        message=cell.message,
    )


def _loss(trial: TrialRow, goals: tuple[tuple[str, str], ...]) -> float:
    """Less is better; what was not measured, or keeps no constraint, comes last."""
    metric, goal = goals[0] if goals else ("", "")
    value = trial.objectives.get(metric, math.nan)
    if math.isnan(value) or trial.message:
        return math.inf
    return -value if goal == "maximize" else value
