"""TPE, NSGA-II and CMA-ES: asked again alike, better than chance, told everything."""

import logging
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from advorch.spec.tuning import Dimension, Goal, Objective, Scheduler, Search, Tuning
from advorch.tuning.opening import open_searcher
from advorch.tuning.search import Outcome, TrialState

SQUARE = tuple(Dimension(name=name, kind="uniform", values=(-5, 5)) for name in "xy")
MIXED = (
    *SQUARE,
    Dimension(name="optimizer", kind="choice", values=("sgd", "adam", "lion")),
    Dimension(name="depth", kind="int", values=(1, 9)),
    Dimension(name="width", kind="quniform", values=(16, 128, 16)),
    Dimension(name="decay", kind="normal", values=(0, 1)),
)


def tuning(
    algorithm: str,
    *goals: Goal,
    space: tuple[Dimension, ...] = SQUARE,
    scheduler: Scheduler | None = None,
    **search: Any,
) -> Tuning:
    objectives = tuple(Objective(metric=f"stage.metric{i}", goal=goal) for i, goal in enumerate(goals))
    return Tuning(space=space, objectives=objectives, search=Search(algorithm=algorithm, **search), scheduler=scheduler)


def nothing(path: object) -> object:
    raise AssertionError(path)


def done(*objectives: float, violations: tuple[float, ...] = ()) -> Outcome:
    return Outcome(state=TrialState.DONE, objectives=objectives, violations=violations)


def run(searching: Tuning, count: int, seed: int, judge: Callable[[Any], Outcome]) -> list[tuple[Any, Outcome]]:
    searcher = open_searcher(searching, seed, nothing)
    history = []
    for number in range(count):
        values = searcher.ask()
        history.append((values, judge(values)))
        searcher.tell(number, history[-1][1])
    return history


def bowl(values: Any) -> float:
    return float((values["x"] - 1) ** 2 + (values["y"] + 2) ** 2)


def least(algorithm: str, seed: int) -> float:
    searching = tuning(algorithm, "minimize")
    return min(outcome.objectives[0] for _, outcome in run(searching, 40, seed, lambda values: done(bowl(values))))


def test_tpe_beats_chance_on_a_bowl() -> None:
    ours = [least("tpe", seed) for seed in range(10)]
    chance = [least("random", seed) for seed in range(10)]
    assert sum(map(math.log, ours)) < sum(map(math.log, chance)) - 10, "a factor of e on average"


def test_maximizing_is_minimizing_the_negative() -> None:
    least_of = run(tuning("tpe", "minimize"), 25, 0, lambda values: done(bowl(values)))
    most_of = run(tuning("tpe", "maximize"), 25, 0, lambda values: done(-bowl(values)))
    assert [values for values, _ in least_of] == [values for values, _ in most_of]


def scenario(searching: Tuning, seed: int, calls: int) -> list[Any]:
    """Asks, and tells in any order, as a sweep with four places makes them; what a call is depends on its number."""
    chance, searcher = random.Random(5), open_searcher(searching, seed, nothing)
    asked: list[Any] = []
    waiting: list[int] = []
    for _ in range(calls):
        if len(waiting) < 4 and (chance.random() < 0.6 or not waiting):
            waiting.append(len(asked))
            asked.append(searcher.ask())
            continue
        number = waiting.pop(chance.randrange(len(waiting)))
        searcher.tell(number, _outcome(number, len(searching.objectives), asked[number]))
    return asked


def _outcome(number: int, objectives: int, values: Any) -> Outcome:
    if number % 7 == 3:
        return Outcome(state=TrialState.FAILED)
    if number % 5 == 4:
        return Outcome(state=TrialState.PRUNED, reports=((1, math.nan), (2, bowl(values))))
    value = math.nan if number % 11 == 6 else bowl(values)
    return done(*[value, float(values["depth"])][:objectives], violations=(values["x"] - 4, math.nan))


@pytest.mark.parametrize(("algorithm", "objectives"), [("tpe", 1), ("tpe", 2), ("nsga-ii", 2), ("nsga-ii", 1)])
def test_the_same_calls_give_the_same_values(algorithm: str, objectives: int) -> None:
    searching = tuning(algorithm, *["minimize", "maximize"][:objectives], space=MIXED, warmup=5)  # type: ignore[arg-type]
    whole = scenario(searching, 3, 120)
    assert len(whole) > 50
    random.seed(99)  # the process-wide generator is nobody's
    assert scenario(searching, 3, 120) == whole
    assert scenario(searching, 3, 60) == whole[: len(scenario(searching, 3, 60))], "more asks continue the sequence"
    assert scenario(searching, 4, 60)[0] != whole[0]


def test_the_warmup_does_not_depend_on_what_runs_beside_it() -> None:
    searching = tuning("tpe", "minimize", space=MIXED, warmup=8)
    searcher = open_searcher(searching, 1, nothing)
    together = [searcher.ask() for _ in range(8)]
    alone = [values for values, _ in run(searching, 8, 1, lambda values: done(bowl(values)))]
    assert together == alone


def test_nsga_finds_a_known_front() -> None:
    """x in [-5, 5], f = (x^2 + y^2, (x-2)^2 + y^2): the front is 0 <= x <= 2 and y = 0, there sqrt f1 + sqrt f2 = 2."""

    def judge(values: Any) -> Outcome:
        return done(values["x"] ** 2 + values["y"] ** 2, (values["x"] - 2) ** 2 + values["y"] ** 2)

    def distance(outcome: Outcome) -> float:
        return math.sqrt(outcome.objectives[0]) + math.sqrt(outcome.objectives[1]) - 2

    late = [outcome for _, outcome in run(tuning("nsga-ii", "minimize", "minimize"), 300, 0, judge)][-60:]
    near = [outcome for outcome in late if distance(outcome) < 0.1]
    assert len(near) > 15
    assert max(item.objectives[0] for item in near) - min(item.objectives[0] for item in near) > 1, "spread along it"


@pytest.mark.parametrize(("algorithm", "trials"), [("tpe", 60), ("nsga-ii", 160)])
def test_the_infeasible_region_is_avoided(algorithm: str, trials: int) -> None:
    def judge(values: Any) -> Outcome:
        return done(values["y"] ** 2, violations=(values["x"] + 1,))  # only the constraint speaks of x

    late = run(tuning(algorithm, "minimize"), trials, 0, judge)[-30:]
    assert sum(values["x"] <= -1 for values, _ in late) >= 24, "chance would have it at 12"


def test_a_choice_is_learned_in_a_conditional_space() -> None:
    history = run(tuning("tpe", "maximize", space=MIXED), 60, 0, lambda v: done(float(v["optimizer"] == "adam")))
    assert sum(values["optimizer"] == "adam" for values, _ in history[-30:]) > 20


def test_stopped_trials_teach_by_their_reports() -> None:
    def judge(values: Any) -> Outcome:
        if abs(values["x"]) > 1:  # the metric of the scheduler is better when larger, the objective when smaller
            return Outcome(state=TrialState.PRUNED, reports=((1, 0.0), (3, -abs(values["x"]))))
        return done(bowl(values))

    scheduler = Scheduler(type="asha", time="epoch", metric="train.robust", goal="maximize")
    history = run(tuning("tpe", "minimize", scheduler=scheduler), 50, 0, judge)
    assert sum(abs(values["x"]) < 1.5 for values, _ in history[-20:]) > 12


def test_failed_trials_and_nan_teach_nothing() -> None:
    def judge(values: Any) -> Outcome:
        return done(math.nan) if values["x"] > 0 else Outcome(state=TrialState.FAILED)

    values = [values for values, _ in run(tuning("tpe", "minimize", warmup=2), 20, 0, judge)]
    searcher = open_searcher(tuning("random", "minimize"), 0, nothing)
    assert len({row["x"] for row in values}) == 20
    assert searcher.ask() is not None
    assert min(row["x"] for row in values) < -3
    assert max(row["x"] for row in values) > 3, "still at random"


def test_optuna_says_nothing(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run(tuning("tpe", "minimize", space=MIXED, warmup=0), 15, 0, lambda values: done(bowl(values)))
    assert capfd.readouterr().err == ""
    assert not caplog.records


def test_cma_es_beats_chance_on_a_bowl() -> None:
    pytest.importorskip("cmaes", reason="the package cmaes is not a dependency")
    assert sum(math.log(least("cma-es", seed)) for seed in range(5)) < sum(
        math.log(least("random", seed)) for seed in range(5)
    )
