"""Trials of a sweep in few lines, below the cells of the run that it is part of."""

import shlex
from typing import Any

from advorch.cli.render import emit, say
from advorch.tracking.runs import RunRecord
from advorch.tracking.trial_rows import SweepRows, sweep_rows

SHOWN = 5


def tell_trials(record: RunRecord) -> None:
    """The best trials of each sweep, and how to see the others."""
    for sweep in sweep_rows(record):
        counts = ", ".join(f"{count} {state}" for state, count in sweep.counts().items())
        goals = "; ".join(f"{goal} {metric}" for metric, goal in sweep.objectives)
        say("", f"trials of {sweep.sweep}: {counts}" + (f"; {goals}" if goals else ""))
        emit([_row(sweep, place) for place in range(min(SHOWN, len(sweep.trials)))], _columns(sweep))
        if len(sweep.trials) > SHOWN:
            command = f"advorch sweep trials {record.run} {shlex.quote(sweep.sweep)}"
            say(f"{len(sweep.trials) - SHOWN} more: {command}")


def _columns(sweep: SweepRows) -> list[str]:
    return ["trial", "status", *sweep.dimensions, *(metric for metric, _ in sweep.objectives), "step", "seconds"]


def _row(sweep: SweepRows, place: int) -> dict[str, Any]:
    trial = sweep.trials[place]
    return {
        **{name: sweep.value(trial, name) for name in sweep.dimensions},
        **trial.objectives,
        "trial": trial.number,
        "status": trial.status,
        "step": trial.step,
        "seconds": round(trial.seconds, 3),
    }
