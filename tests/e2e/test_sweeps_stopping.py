"""Sweeps whose trials are stopped early, paused, or go on from each other."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lab_sweeps import run, statuses, steps, sweep, trials

Write = Callable[..., Path]


ASHA = "scheduler: {type: asha, metric: walk.place, goal: maximize, time: step, max: 9, grace: 1, reduction: 3}"


def test_poor_trials_are_stopped_early_at_the_step_that_showed_it(workspace: Path, write_pipeline: Write) -> None:
    text = sweep(workspace, 12, ASHA).replace("steps: 3", "steps: 9")
    done = run(write_pipeline(text))
    ends = trials(workspace)
    stopped = [name for name, event in ends.items() if event.status.value == "pruned"]
    assert stopped
    full = sorted(float(str(event.params["start"])) for event in ends.values() if event.status.value == "done")
    assert done.metrics["best"]["trial.start"] == full[-1]
    assert max(float(str(ends[name].params["start"])) for name in stopped) <= full[-1]
    assert steps(workspace) < 12 * 9
    assert (steps(workspace) - 9 * len(full)) / len(stopped) <= 3, (
        "inline, a stop is obeyed at the step that brought it"
    )


@pytest.mark.parametrize("rule", ["hyperband", "median"])
def test_other_rules_of_early_stopping(workspace: Path, write_pipeline: Write, rule: str) -> None:
    scheduler = ASHA.replace("type: asha", f"type: {rule}")
    text = sweep(workspace, 9, scheduler).replace("steps: 3", "steps: 9").replace("concurrency: 1", "concurrency: 9")
    done = run(write_pipeline(text))
    assert done.exit_code == 0
    ends = trials(workspace)
    assert {event.status.value for event in ends.values()} == {"done", "pruned"}
    full = [float(str(event.params["start"])) for event in ends.values() if event.status.value == "done"]
    assert done.metrics["best"]["trial.start"] == max(full) == max(float(str(e.params["start"])) for e in ends.values())
    assert steps(workspace) < 9 * 9 - 9
    longer = run(write_pipeline(text.replace("trials: 9", "trials: 14")))
    assert longer.exit_code == 0
    assert len(trials(workspace)) == 14


def test_a_population_goes_on_from_the_checkpoints_of_the_best(workspace: Path, write_pipeline: Write) -> None:
    rule = "type: pbt, metric: walk.place, goal: maximize, time: step"
    pbt = f"scheduler: {{{rule}, max: 8, grace: 2, interval: 2, quantile: 0.5}}"
    text = sweep(workspace, 4, pbt).replace("steps: 3", "steps: 8").replace("concurrency: 1", "concurrency: 4")
    done = run(write_pipeline(text))
    assert done.exit_code == 0
    ends = {name: event.metrics["walk.end"] for name, event in trials(workspace).items()}
    assert done.metrics["best"]["walk.end"] == max(ends.values())
    again = run(write_pipeline(text))
    assert set(statuses(again).values()) == {"cached"}
