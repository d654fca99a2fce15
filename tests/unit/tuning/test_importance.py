"""Ranking, the Pareto front, and what mattered."""

import math
import random
from typing import Any

import pytest

from advorch.spec.tuning import Dimension, Goal, Objective, Tuning
from advorch.tuning.draws import Chance, drawn
from advorch.tuning.importance import Finished, importances, pareto, ranked
from advorch.tuning.search import Outcome, TrialState


def tuning(*goals: Goal, space: tuple[Dimension, ...] = ()) -> Tuning:
    return Tuning(space=space, objectives=tuple(Objective(metric="probe.m", goal=goal) for goal in goals))


def done(number: int, *objectives: float, violations: tuple[float, ...] = ()) -> Finished:
    return Finished(number, {}, Outcome(state=TrialState.DONE, objectives=objectives, violations=violations))


def test_the_best_comes_first_and_of_equals_the_earlier() -> None:
    trials = [done(4, 0.9), done(0, 0.5), done(2, 0.9), done(1, 0.7)]
    assert ranked(trials, tuning("maximize")) == [2, 4, 1, 0]
    assert ranked(trials, tuning("minimize")) == [0, 1, 2, 4]


def test_what_is_not_sound_never_wins() -> None:
    trials = [
        done(0, math.nan),
        done(1, math.inf),
        done(2, 0.9, violations=(0.0, 0.1)),
        done(3, 0.8, violations=(math.nan,)),
        Finished(4, {}, Outcome(state=TrialState.FAILED)),
        Finished(5, {}, Outcome(state=TrialState.PRUNED, reports=((1, 0.99),))),
        done(6, 0.1, violations=(0.0, -1.0)),
    ]
    assert ranked(trials, tuning("maximize")) == [6]
    assert pareto(trials, tuning("maximize")) == [6]
    assert ranked(trials[:5], tuning("maximize")) == []
    assert pareto([], tuning("maximize")) == []


def test_of_several_objectives_the_first_decides() -> None:
    trials = [done(0, 0.5, 3.0), done(1, 0.5, 1.0), done(2, 0.6, 9.0)]
    assert ranked(trials, tuning("maximize", "minimize")) == [2, 1, 0]


def test_the_front_is_what_no_other_beats() -> None:
    trials = [done(0, 0.9, 0.1), done(1, 0.5, 0.5), done(2, 0.4, 0.5), done(3, 0.1, 0.9), done(4, 0.5, 0.5)]
    assert pareto(trials, tuning("maximize", "maximize")) == [0, 1, 3, 4]
    assert pareto(trials, tuning("maximize", "minimize")) == [0]
    assert pareto(trials, tuning("minimize", "minimize")) == [0, 2, 3]


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_front_keeps_what_it_promises(objectives: int) -> None:
    chance = random.Random(objectives)
    trials = [done(n, *(round(chance.random(), 1) for _ in range(objectives))) for n in range(120)]
    front = pareto(trials, tuning(*["maximize"] * objectives))  # type: ignore[arg-type]
    points = {trial.number: trial.outcome.objectives for trial in trials}
    for number, point in points.items():
        beaten = any(
            all(a >= b for a, b in zip(other, point, strict=True)) and other != point for other in points.values()
        )
        assert beaten != (number in front)


SPACE = (
    Dimension(name="epsilon", kind="uniform", values=(0, 1)),
    Dimension(name="lambda", kind="loguniform", values=(0.1, 10)),
    Dimension(name="optimizer", kind="choice", values=("sgd", {"uses": "adam"})),
    Dimension(name="size", kind="quniform", values=(16, 64, 16)),
    Dimension(name="noise", kind="normal", values=(0, 1)),
    Dimension(name="fixed", kind="const", values=(1,)),
)


def measured(count: int, judge: Any, seed: int = 0) -> list[Finished]:
    chance = Chance(random.Random(seed))
    rows = [drawn(SPACE, chance, lambda path: None) for _ in range(count)]
    return [Finished(n, row, Outcome(state=TrialState.DONE, objectives=judge(row))) for n, row in enumerate(rows)]


def test_importance_is_the_share_of_the_variance() -> None:
    """For f = a + b of even and independent a and b the shares are those of their variances: 1 to 4."""
    trials = measured(300, lambda row: (2 * row["epsilon"] + math.log10(row["lambda"]) / 2, 0.0))
    shares = importances(trials, tuning("maximize", "maximize", space=SPACE))
    assert list(shares)[:2] == ["epsilon", "lambda"]
    assert shares["epsilon"] == pytest.approx(0.8, abs=0.07)
    assert shares["lambda"] == pytest.approx(0.2, abs=0.07)
    assert sum(shares.values()) == pytest.approx(1)
    assert "fixed" not in shares
    assert importances(trials, tuning("maximize", space=SPACE), objective=1) == {}, "an objective that never varies"


def test_importance_sees_choices_and_steps() -> None:
    trials = measured(120, lambda row: (float(row["optimizer"] == "sgd"), float(row["size"])))
    assert importances(trials, tuning("maximize", space=SPACE))["optimizer"] > 0.9
    assert importances(trials, tuning("minimize", space=SPACE), objective=1)["size"] > 0.9


def test_importance_leaves_out_what_says_nothing() -> None:
    few = measured(20, lambda row: (row["epsilon"],))
    partial = [Finished(t.number, {"epsilon": t.values["epsilon"]}, t.outcome) for t in few[:1]]
    failed = [Finished(99, {}, Outcome(state=TrialState.FAILED)), done(98, math.nan)]
    assert list(importances(few[1:] + partial + failed, tuning("maximize", space=SPACE))) == ["epsilon"]
    assert importances(few[:1], tuning("maximize", space=SPACE)) == {}
    assert importances([], tuning("maximize", space=SPACE)) == {}
    assert importances(few, tuning("maximize", space=SPACE)) == importances(few, tuning("maximize", space=SPACE))
