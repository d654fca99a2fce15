"""Brackets, who waits in them, who is freed."""

import math
import random
from collections.abc import Callable

import pytest

from advorch.tuning.hyperband import Hyperband
from advorch.tuning.stopping import Verdict


def opened(most: int = 9, least: int = 1, reduction: float = 3) -> Hyperband:
    return Hyperband(most, least, reduction, "maximize")


def join(stopping: Hyperband, count: int, first: int = 0) -> None:
    for trial in range(first, first + count):
        stopping.added(trial, {})


def test_brackets_are_those_of_the_paper() -> None:
    stopping = opened(most=81)
    join(stopping, 81 + 34 + 15 + 8 + 5 + 1)
    sizes = [(bracket.size, bracket.milestones) for bracket in stopping._brackets]
    assert sizes[:-1] == [(81, (1, 3, 9, 27)), (34, (3, 9, 27)), (15, (9, 27)), (8, (27,)), (5, ())]
    assert sizes[-1] == (81, (1, 3, 9, 27)), "and again"
    assert stopping._brackets[-1].members == [163 - 20]


def test_the_last_report_of_a_rung_decides_about_all() -> None:
    stopping = opened()
    join(stopping, 9)
    for trial in range(8):
        assert stopping.reported(trial, 1, trial / 10) == Verdict.PAUSE
        assert stopping.freed() == ([], [])
    assert stopping.reported(8, 1, 0.65) == Verdict.GO, "the second of nine, of which three go on"
    assert stopping.freed() == ([6, 7], [0, 1, 2, 3, 4, 5])
    assert stopping.freed() == ([], []), "each is named once"
    assert stopping.reported(6, 2, 0.0) == Verdict.GO, "between two milestones"
    assert stopping.reported(6, 3, 0.1) == Verdict.PAUSE
    assert stopping.reported(7, 3, 0.9) == Verdict.PAUSE
    assert stopping.reported(8, 3, 0.0) == Verdict.STOP
    assert stopping.freed() == ([7], [6])
    assert [stopping.reported(7, step, 0.0) for step in range(4, 10)] == [Verdict.GO] * 6
    assert stopping.reported(6, 4, 9.0) == Verdict.STOP, "a late report of a trial that is over"


def test_a_bracket_waits_until_it_is_full_or_no_more_trials_come() -> None:
    stopping = opened()
    join(stopping, 4)
    assert [stopping.reported(trial, 1, float(trial)) for trial in range(4)] == [Verdict.PAUSE] * 4
    assert stopping.freed() == ([], [])
    stopping.closed()
    assert stopping.freed() == ([3], [0, 1, 2]), "a third of four is one"
    join(stopping, 1, first=4)
    assert stopping.reported(4, 1, 0.0) == Verdict.GO, "it is in the next bracket, whose first milestone is 3"
    assert stopping.reported(4, 3, 0.0) == Verdict.PAUSE


def test_failures_do_not_keep_the_others_waiting() -> None:
    stopping = opened()
    join(stopping, 9)
    for trial in range(8):
        stopping.reported(trial, 1, float(trial))
    stopping.ended(8, 0, None)
    assert stopping.freed() == ([5, 6, 7], [0, 1, 2, 3, 4])
    stopping.reported(5, 3, 0.5)
    stopping.reported(6, 3, 0.4)
    stopping.ended(7, 2, None)  # in a later rung, where Tune's class would wait for ever
    assert stopping.freed() == ([5], [6])


def test_a_trial_that_completes_early_is_still_compared_with() -> None:
    stopping = opened()
    join(stopping, 9)
    stopping.ended(0, 0, 100.0)
    for trial in range(1, 9):
        stopping.reported(trial, 1, float(trial))
    assert stopping.freed() == ([7], [1, 2, 3, 4, 5, 6]), "of the three best one is done and one has just been told"
    stopping.reported(7, 3, 1.0)
    assert stopping.reported(8, 3, 2.0) == Verdict.STOP
    assert stopping.freed() == ([], [7]), "the best of this rung is the one that is done"


def test_a_paused_trial_that_fails_is_not_freed() -> None:
    stopping = opened()
    join(stopping, 9)
    for trial in range(8):
        stopping.reported(trial, 1, float(trial))
    stopping.ended(7, 1, None)
    stopping.reported(8, 1, 8.0)
    assert stopping.freed() == ([5, 6], [0, 1, 2, 3, 4])


def test_a_replay_that_does_not_ask_who_is_freed_knows_who_waits_now() -> None:
    stopping = opened()
    join(stopping, 9)
    for trial in range(9):
        stopping.reported(trial, 1, float(trial))
    stopping.reported(7, 2, 0.0)
    assert stopping.reported(7, 3, 0.0) == Verdict.PAUSE
    assert stopping.reported(8, 2, 0.0) == Verdict.GO
    stopping.ended(5, 1, None)
    assert stopping.freed() == ([6], [0, 1, 2, 3, 4])


def test_ties_go_to_the_earlier_and_nan_to_nobody() -> None:
    stopping = opened()
    join(stopping, 9)
    for trial in range(9):
        stopping.reported(trial, 1, math.nan if trial in {0, 8} else 0.5)
    assert stopping.freed() == ([1, 2, 3], [0, 4, 5, 6, 7])
    down = Hyperband(9, 1, 3, "minimize")
    join(down, 9)
    for trial in range(9):
        down.reported(trial, 1, float(trial))
    assert down.freed()[0] == [0, 1, 2]


@pytest.mark.parametrize("most", [1, 2, 10, 12, 30, 100])
@pytest.mark.parametrize("reduction", [1.5, 2, 3, 4])
def test_milestones_rise_from_the_grace_to_below_the_end(most: int, reduction: float) -> None:
    for least in (1, 2, 5):
        if least <= most:
            stopping = opened(most, least, reduction)
            for size, milestones in stopping._shapes:
                assert size >= 1
                assert list(milestones) == sorted(milestones)
                assert all(least <= milestone < most for milestone in milestones)


def simulated(places: int, trials: int, seed: int, curve: Callable[[int, int], float]) -> dict[int, int]:
    """A small sweep: so many trials at a time, who pauses gives its place away; the steps each trial ran."""
    stopping, chance = opened(), random.Random(seed)
    steps: dict[int, int] = {}
    running: list[int] = []
    waiting: list[int] = []
    paused: set[int] = set()
    while True:
        while len(running) < places and (waiting or len(steps) < trials):
            if waiting:
                running.append(waiting.pop(0))
            else:
                running.append(len(steps))
                stopping.added(len(steps), {})
                steps[len(steps)] = 0
        if len(steps) == trials:
            stopping.closed()
        if not running and not paused:
            return steps
        if running:
            trial = chance.choice(running)
            steps[trial] += 1
            verdict = stopping.reported(trial, steps[trial], curve(trial, steps[trial]))
            if steps[trial] == 9 and verdict == Verdict.GO:
                stopping.ended(trial, 9, curve(trial, 9))
                running.remove(trial)
            elif verdict != Verdict.GO:
                running.remove(trial)
                paused |= {trial} if verdict == Verdict.PAUSE else set()
        go, stop = stopping.freed()
        assert paused >= {*go, *stop}, "only who waits is freed"
        paused -= {*go, *stop}
        waiting += go


@pytest.mark.parametrize("places", [1, 3, 20])
def test_every_sweep_comes_to_an_end(places: int) -> None:
    for trials in (1, 5, 9, 17, 40):
        steps = simulated(places, trials, seed=places, curve=lambda trial, step: trial * 7 % 10 + step / 100)
        assert len(steps) == trials
        assert max(steps.values()) == 9
    full = simulated(places, 9 + 5 + 3, seed=0, curve=lambda trial, step: float(trial))
    assert [full[trial] for trial in range(9)] == [1] * 6 + [3] * 2 + [9]
    assert [full[trial] for trial in range(9, 17)] == [3] * 4 + [9] * 4
