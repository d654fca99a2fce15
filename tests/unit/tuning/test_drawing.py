"""Distributions, conditions, the grid and random search."""

import math
import random
import statistics
from typing import Any

import pytest

from advorch.spec.expression import ExpressionError, Path, UnknownName, parse
from advorch.spec.nodes import Mark, Source
from advorch.spec.tuning import Dimension, Objective, Search, Tuning
from advorch.spec.tuning_faults import tuning_faults
from advorch.tuning.conditions import holds
from advorch.tuning.draws import Chance, at, coordinate, draw, place
from advorch.tuning.opening import open_searcher
from advorch.tuning.search import Outcome, TrialState


def dimension(name: str, kind: str, *values: Any, when: str = "") -> Dimension:
    mark = Mark(Source("test.yaml", when), 1, 1, 1)
    return Dimension(name=name, kind=kind, values=values, when=parse(when, mark) if when else None)


def params(path: Path) -> object:
    if path == ("params", "norm"):
        return "l2"
    raise UnknownName(path)


def tuning(*space: Dimension, algorithm: str = "random") -> Tuning:
    objective = Objective(metric="probe.accuracy", goal="maximize")
    return Tuning(space=space, objectives=(objective,), search=Search(algorithm=algorithm))


def asked(searching: Tuning, count: int, seed: int = 0) -> list[Any]:
    searcher = open_searcher(searching, seed, params)
    return [searcher.ask() for _ in range(count)]


ALL = (
    dimension("a", "uniform", 0, 2),
    dimension("b", "loguniform", 0.01, 100),
    dimension("c", "quniform", 0.1, 0.75, 0.1),
    dimension("d", "int", 3, 7),
    dimension("e", "logint", 1, 64),
    dimension("f", "normal", 5, 0.5),
    dimension("g", "choice", "sgd", {"uses": "adam", "with": {"beta": 0.9}}, None, 1, 1.0, True),
    dimension("h", "grid", 1, 10, 100),
    dimension("i", "const", [1, 2]),
)


def test_random_draws_are_even_in_their_own_measure() -> None:
    drawn = asked(tuning(*ALL), 4000)
    column = {name: [row[name] for row in drawn] for name in drawn[0]}
    assert list(column) == list("abcdefghi")
    assert statistics.fmean(column["a"]) == pytest.approx(1, abs=0.05)
    assert all(isinstance(value, float) and 0 <= value <= 2 for value in column["a"])
    assert statistics.fmean(map(math.log10, column["b"])) == pytest.approx(0, abs=0.08)
    assert set(column["c"]) == {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
    assert [round(column["d"].count(value) / 4000, 1) for value in range(3, 8)] == [0.2] * 5
    up_to_8 = math.log(8.5 / 0.5) / math.log(64.5 / 0.5)  # each whole number has the half before and after it
    assert sum(value <= 8 for value in column["e"]) / 4000 == pytest.approx(up_to_8, abs=0.03)
    assert set(column["e"]) == set(range(1, 65))
    assert statistics.fmean(column["f"]) == pytest.approx(5, abs=0.03)
    assert statistics.stdev(column["f"]) == pytest.approx(0.5, abs=0.03)
    assert all(abs(sum(item is value for item in column["g"]) / 4000 - 1 / 6) < 0.03 for value in ALL[6].values)
    assert {type(value) for value in column["d"] + column["e"]} == {int}
    assert column["i"] == [[1, 2]] * 4000


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.kind)
def test_a_value_is_found_again_at_its_place(item: Dimension) -> None:
    chance = Chance(random.Random(1))
    for _ in range(50):
        value = draw(item, chance)
        assert at(item, place(item, value)) == (pytest.approx(value) if item.kind == "normal" else value)
        assert type(at(item, place(item, value))) is type(value)


def test_steps_count_in_decimals_and_forgive_ratios() -> None:
    ratio = dimension("epsilon", "quniform", 0, 16 / 255, 2 / 255)
    assert coordinate(ratio).high == 8, "16/255 is a little less than eight times 2/255"  # type: ignore[union-attr]
    assert at(ratio, 8) <= 16 / 255
    assert at(dimension("x", "quniform", 0.0, 1.0, 0.1), 3) == 0.3
    whole = at(dimension("size", "quniform", 16, 128, 16), 2)
    assert whole == 48
    assert isinstance(whole, int)


def test_a_trial_of_random_search_depends_on_its_number_alone() -> None:
    searcher = open_searcher(tuning(*ALL), 3, params)
    first = searcher.ask()
    searcher.tell(0, Outcome(state=TrialState.FAILED))
    assert [first, searcher.ask()] == asked(tuning(*ALL), 2, seed=3)
    assert first != asked(tuning(*ALL), 1, seed=4)[0]


def test_the_grid_is_a_product_with_the_last_fastest() -> None:
    space = (dimension("x", "grid", 1, 2), dimension("y", "int", 0, 1), dimension("z", "const", 7))
    rows = asked(tuning(*space, algorithm="grid"), 5)
    assert [(row["x"], row["y"], row["z"]) for row in rows[:4]] == [(1, 0, 7), (1, 1, 7), (2, 0, 7), (2, 1, 7)]
    assert rows[4] is None


def test_conditions_collapse_the_grid() -> None:
    space = (
        dimension("attack", "choice", "fgsm", "pgd", "fgsm"),
        dimension("steps", "quniform", 10, 30, 10, when="trial.attack == 'pgd'"),
        dimension("restarts", "choice", 1, 5, when="trial.steps > 10"),
    )
    rows = asked(tuning(*space, algorithm="grid"), 7)
    assert rows[0] == {"attack": "fgsm"}
    assert rows[1] == {"attack": "pgd", "steps": 10}
    assert [row["restarts"] for row in rows[2:6]] == [1, 5, 1, 5]
    assert rows[6] is None


@pytest.mark.parametrize("algorithm", ["random", "tpe", "nsga-ii"])
def test_conditions_hold_in_every_draw(algorithm: str) -> None:
    space = (
        dimension("norm", "choice", "l2", "linf"),
        dimension("l2", "uniform", 1, 2, when="trial.norm == 'l2'"),
        dimension("deep", "uniform", 0, 1, when="trial.l2 > 1.5 and params.norm == 'l2'"),
        dimension("never", "int", 0, 1, when="false"),
    )
    searcher = open_searcher(tuning(*space, algorithm=algorithm), 0, params)
    kinds = set()
    for number in range(40):
        values = searcher.ask()
        assert values is not None
        assert ("l2" in values) == (values["norm"] == "l2")
        assert ("deep" in values) == (values.get("l2", 0) > 1.5)  # type: ignore[operator]
        assert "never" not in values
        kinds.add(len(values))
        searcher.tell(number, Outcome(state=TrialState.DONE, objectives=(float(len(values)),)))
    assert kinds == {1, 2, 3}


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("trial.later == 1", "unknown name 'trial.later'"),
        ("params.nothing", "unknown name 'params.nothing'"),
        ("trial.a", "true or false"),
    ],
)
def test_a_condition_without_an_answer_is_one_line(when: str, message: str) -> None:
    asking = tuning(
        dimension("a", "int", 1, 2), dimension("b", "int", 1, 2, when=when), dimension("later", "int", 1, 2)
    )
    with pytest.raises(ExpressionError, match=message) as caught:
        asked(asking, 1)
    assert caught.value.place.source == "test.yaml"


def test_a_condition_reads_inside_a_chosen_map() -> None:
    when = dimension("x", "int", 0, 1, when="trial.attack.steps > 5").when
    before = (dimension("attack", "choice", {"steps": 10}, {"steps": 1}),)
    assert holds(when, {"attack": {"steps": 10}}, before, params)
    assert not holds(when, {"attack": {"steps": 1}}, before, params)


def test_what_cannot_be_searched_is_said_before_anything_runs() -> None:
    endless = tuning(dimension("x", "uniform", 0, 1), algorithm="grid")
    assert [fault[1] for fault in tuning_faults(endless)] == ["a grid search cannot walk through 'uniform' of 'x'"]
    several = Tuning(
        space=ALL, objectives=(Objective(metric="a.b", goal="minimize"),) * 2, search=Search(algorithm="cma-es")
    )
    assert [fault[1] for fault in tuning_faults(several)] == ["'cma-es' has one objective"]
