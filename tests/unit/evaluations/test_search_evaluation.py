"""The evaluation of a search: what it reads, what it draws, and what it refuses."""

import math
from dataclasses import replace
from typing import Any

import pytest

from advorch.errors import StageFailed
from advorch.kit.data import no_data
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.parallel_figures import _Scale
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.trials import best_so_far, front, read_trials
from advorch.testing.trials import few_trials
from advorch_builtins.evaluations.catalog_search import SEARCH, SearchParams

METRIC = "probe.robust_accuracy"


def findings(table: Table, **params: Any) -> Findings:
    return SEARCH.load().reduce(Subject(data=no_data(), tables={"trials": table}), {}, SearchParams(**params))


def test_a_front_has_whom_none_beats_in_both() -> None:
    points = [(0.9, 0.4), (0.8, 0.6), (0.85, 0.5), (0.8, 0.5), (0.6, 0.6), (0.8, 0.6)]
    assert front(points, ("maximize", "maximize")) == [1, 5, 2, 0]
    assert front([(1.0, 1.0), (2.0, 2.0), (3.0, 0.5)], ("minimize", "minimize")) == [0, 2]
    assert front([], ("maximize", "maximize")) == []


def test_the_best_so_far_passes_over_what_is_no_number() -> None:
    found = best_so_far([math.nan, 2.0, 1.0, math.nan, 3.0], "maximize")
    assert math.isnan(found[0])
    assert found[1:] == [2.0, 2.0, 2.0, 3.0]
    assert best_so_far([2.0, 1.0, 3.0], "minimize") == [2.0, 1.0, 1.0]


def test_heights_are_even_in_the_logarithm_where_the_draw_was() -> None:
    log = _Scale.of_numbers("lr", [0.001, 0.1], log=True)
    assert [log.height(value) for value in (0.001, 0.01, 0.1)] == pytest.approx([0.0, 0.5, 1.0])
    assert list(log.ticks.values()) == ["0.001", "0.00316", "0.01", "0.0316", "0.1"]
    even = _Scale.of_numbers("x", [2.0, 4.0], log=False)
    assert even.height(2.5) == 0.25
    names = _Scale.of_names("loss", ["a", "b", "c"])
    assert [names.height(name) for name in ("a", "b", "c")] == [0.0, 0.5, 1.0]
    assert math.isnan(names.height(None))
    assert math.isnan(names.height("d"))
    assert _Scale.of_numbers("same", [3.0, 3.0], log=False).height(3.0) == 0.5


def test_what_is_found_of_a_small_search() -> None:
    found = findings(few_trials())
    assert found.metrics == {"trials": 6.0, "done": 4.0, "pruned": 1.0, "failed": 1.0, "best": 0.6}
    assert found.tables["Winners"].rows == ((1, 1, 0.2, 0.01, "trades", 0.6, 0.8),)
    assert found.tables["Front of probe.clean_accuracy"].column("trial") == (1, 5, 0), "4 keeps not every constraint"
    assert list(found.figures) == [
        "What was tried", f"What mattered for {METRIC}", f"{METRIC} against probe.clean_accuracy", "Best so far",
        "Where trials were stopped",
    ]  # fmt: skip
    assert all(picture.startswith(b"\x89PNG") for picture in found.pictures().values())
    assert found.notes[1] == "1 of those that ended do not keep probe.clean_accuracy >= 0.7."


def test_without_a_scheduler_or_a_result_some_pictures_are_left_out() -> None:
    table = few_trials()
    plain = replace(table, facts={**table.facts, "scheduler": None, "reports": {}, "importance": {}})
    assert "Where trials were stopped" not in findings(plain).figures
    failed = replace(table, rows=table.rows[3:4], facts={**plain.facts, "eligible": []})
    assert list(findings(failed).pictures()) == ["What was tried"]
    assert "best" not in findings(failed).metrics


def test_conditional_dimensions_leave_a_gap() -> None:
    table = few_trials()
    rows = tuple((*row[:4], None if row[0] == 1 else row[4], *row[5:]) for row in table.rows)
    trials = read_trials(replace(table, rows=rows))
    assert "lr" not in trials.trials[1].values
    assert findings(replace(table, rows=rows)).pictures()


def test_what_it_refuses() -> None:
    with pytest.raises(StageFailed, match="not one of a sweep's trials"):
        findings(Table(("a",), ((1,),)))
    with pytest.raises(StageFailed, match=r"no trial measured 'probe\.speed'"):
        findings(few_trials(), against=["probe.speed"])
    assert (
        "probe.robust_accuracy against probe.clean_accuracy"
        in findings(few_trials(), against=["probe.clean_accuracy"]).figures
    )
