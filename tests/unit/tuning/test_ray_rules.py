"""Asha and the median rule: known decisions, those of a recorded Tune run, and what they must leave alone."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advorch.spec.tuning import Dimension, Goal, Objective, Scheduler, Tuning
from advorch.spec.tuning_faults import tuning_faults
from advorch.tuning.schedulers import open_stopping
from advorch.tuning.stopping import Stopping, Verdict

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "tune_decisions.json").read_text())


def nothing(path: tuple[str, ...]) -> object:
    raise AssertionError(f"no condition reads {path}")


def tuning(better: Goal = "maximize", objectives: int = 1, **scheduler: Any) -> Tuning:
    return Tuning(
        space=(Dimension(name="x", kind="uniform", values=(0, 1)),),
        objectives=(Objective(metric="train.robust_accuracy", goal=better),) * objectives,
        scheduler=Scheduler(time="epoch", **scheduler),
    )


def rule(better: Goal = "maximize", **scheduler: Any) -> Stopping:
    opened = open_stopping(tuning(better, **scheduler), 0, nothing)
    assert opened is not None
    return opened


def at_step(stopping: Stopping, step: int, values: list[float]) -> str:
    """The verdicts of new trials that all report at one step; G goes on, S is stopped."""
    said = []
    for trial, value in enumerate(values):
        stopping.added(trial, {})
        said.append(stopping.reported(trial, step, value))
    return "".join("S" if verdict == Verdict.STOP else "G" for verdict in said)


def test_asha_keeps_the_best_third_of_what_it_has_seen() -> None:
    # the 66.7th percentile of those before: -, 0.5, 0.77, 0.63, 0.8
    assert at_step(rule(type="asha", max=9, reduction=3), 1, [0.5, 0.9, 0.4, 0.8, 0.7]) == "GGSGS"
    assert at_step(rule("minimize", type="asha", max=9, reduction=3), 1, [0.5, 0.1, 0.6, 0.2, 0.3]) == "GGSGS"


def test_asha_decides_at_its_rungs_alone() -> None:
    stopping = rule(type="asha", max=8, grace=2, reduction=2)
    stopping.added(0, {})
    stopping.added(1, {})
    assert [stopping.reported(0, step, 1.0) for step in range(1, 8)] == [Verdict.GO] * 7
    assert stopping.reported(1, 1, 0.0) == Verdict.GO, "in its grace"
    assert stopping.reported(1, 2, 0.0) == Verdict.STOP
    assert stopping.reported(1, 3, 5.0) == Verdict.STOP, "a late report of a trial that is over"


def test_nobody_is_stopped_at_the_end_nor_twice_for_one_step() -> None:
    stopping = rule(type="asha", max=4, reduction=2)
    for trial in range(3):
        stopping.added(trial, {})
        assert stopping.reported(trial, 1, float(trial)) == Verdict.GO
    assert stopping.reported(0, 1, -5.0) == Verdict.GO, "reported again after a restart"
    assert stopping.reported(2, 4, 9.0) == Verdict.GO
    stopping.ended(2, 4, 9.0)
    assert stopping.reported(1, 4, 1.0) == Verdict.GO, "at `max` a trial has all it needs"
    assert stopping.reported(1, 5, 1.0) == Verdict.GO


@pytest.mark.parametrize(
    ("goal", "worst"),
    [("maximize", math.nan), ("maximize", -math.inf), ("minimize", math.nan), ("minimize", math.inf)],
)
def test_what_is_no_number_is_the_worst(goal: Goal, worst: float) -> None:
    assert at_step(rule(goal, type="asha", reduction=2), 1, [0.5, worst, 0.5, worst]) == "GSGS"
    stopping = rule(goal, type="median")
    for trial in range(5):
        stopping.added(trial, {})
        said = stopping.reported(trial, 1, worst if trial == 4 else 0.5)
    assert said == Verdict.STOP


def test_one_nan_does_not_keep_everybody_alive() -> None:
    values = [math.nan, 0.5, 0.6, 0.7, 0.8, 0.1]
    assert at_step(rule(type="asha", reduction=2), 1, values) == "GGGGGS"


def test_the_median_rule_compares_the_best_with_running_means() -> None:
    def verdict(value: float) -> Verdict:
        stopping = rule(type="median")
        for trial, mean in enumerate([0.5, 0.6, 0.7]):
            stopping.added(trial, {})
            stopping.reported(trial, 1, mean - 0.1)
            stopping.reported(trial, 2, mean + 0.1)
        stopping.added(3, {})
        stopping.reported(3, 1, 0.61)
        said = stopping.reported(3, 2, value)
        assert isinstance(said, Verdict)
        return said

    assert verdict(0.0) == Verdict.GO, "its best, 0.61, is above the median of the means, 0.6"
    stopping = rule(type="median", grace=2)
    assert at_step(stopping, 1, [0.9, 0.8, 0.7, 0.1]) == "GGGG", "in their grace"
    assert [stopping.reported(trial, 2, value) for trial, value in enumerate([0.9, 0.8, 0.7])] == [Verdict.GO] * 3
    assert stopping.reported(3, 2, 0.2) == Verdict.STOP


def test_the_median_rule_needs_three_others() -> None:
    assert at_step(rule(type="median"), 1, [0.9, 0.8, 0.0, 0.85, 0.1]) == "GGGGS"


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: record["type"])
def test_decisions_are_those_of_a_recorded_tune_run(record: Any) -> None:
    """The reports of a real `Tuner.fit`, in its order; see test_tune_agreement.py."""
    opened = open_stopping(tuning(**record["scheduler"]), 0, nothing)
    assert opened is not None
    for trial in range(record["trials"]):
        opened.added(trial, {})
    stopped = 0
    for trial, step, value, decision in record["reports"]:
        last = step == record["steps"]
        expected = Verdict.STOP if decision == "STOP" and not last else Verdict.GO
        assert opened.reported(trial, step, value) == expected, (trial, step)
        stopped += expected == Verdict.STOP
        if last:
            opened.ended(trial, step, value)
    assert 2 <= stopped < record["trials"]


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_a_replay_rebuilds_the_rule(kind: str) -> None:
    chance = random.Random(3)
    reports = [(trial, step, chance.random()) for step in range(1, 10) for trial in range(12)]

    def verdicts(stopping: Stopping, some: list[tuple[int, int, float]]) -> list[object]:
        return [stopping.reported(*report) for report in some]

    def opened() -> Stopping:
        stopping = rule(type=kind, max=9)
        for trial in range(12):
            stopping.added(trial, {})
        return stopping

    whole = verdicts(opened(), reports)
    again = opened()
    assert verdicts(again, reports[:50]) + verdicts(again, reports[50:]) == whole
    assert whole.count(Verdict.STOP) > 5


def test_a_failed_trial_and_one_without_reports_disturb_nobody() -> None:
    for kind in ("asha", "median"):
        stopping = rule(type=kind)
        assert at_step(stopping, 1, [0.5, 0.6]) == "GG"
        stopping.ended(0, 1, None)
        stopping.added(7, {})
        stopping.ended(7, 0, 0.3)
        stopping.ended(7, 0, 0.3)
        assert stopping.freed() == ([], [])
        stopping.closed()


def test_ray_is_not_started_and_random_numbers_are_left_alone() -> None:
    import ray

    before = random.getstate(), np.random.get_state()[1:3]  # type: ignore[index]
    at_step(rule(type="asha"), 1, [0.1, 0.2])
    at_step(rule(type="median"), 1, [0.1, 0.2])
    after = random.getstate(), np.random.get_state()[1:3]  # type: ignore[index]
    assert before[0] == after[0]
    assert np.array_equal(before[1][0], after[1][0])
    assert before[1][1] == after[1][1]
    assert not ray.is_initialized()


def test_what_a_scheduler_cannot_work_with_is_said() -> None:
    def said(**words: Any) -> str:
        return " ".join(fault[1] for fault in tuning_faults(tuning(**words)))

    assert "'hyperband' needs 'max'" in said(type="hyperband")
    assert "larger than" in said(type="asha", grace=9, max=3)
    assert "several objectives" in said(type="asha", objectives=2)
    assert not said(type="asha", objectives=2, metric="train.loss", goal="minimize")


def test_without_a_scheduler_there_is_no_rule() -> None:
    plain = tuning(type="asha")
    assert open_stopping(Tuning(space=plain.space, objectives=plain.objectives), 0, nothing) is None


def test_the_scheduler_s_goal_comes_before_the_objective_s() -> None:
    assert at_step(rule("maximize", type="asha", metric="train.loss", goal="minimize"), 1, [0.1, 0.9]) == "GS"
