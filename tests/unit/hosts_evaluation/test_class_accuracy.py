"""Accuracy by class over models of one label, on the eight numbers of this folder."""

from collections.abc import Callable
from dataclasses import replace
from statistics import mean

import pytest

from advorch.kit.evaluation.class_figures import ClassBars, class_bars
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.statistics import mean_interval
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_training import CLASS_ACCURACY

Ask = Callable[[Subject], Findings]


@pytest.fixture
def ask() -> Ask:
    def findings(subject: Subject) -> Findings:
        component = CLASS_ACCURACY
        evaluation, params = component.load(), component.params.parse({})
        return evaluation.reduce(subject, evaluation.map(subject, subject.data, params), params)

    return findings


def row(findings: Findings, table: str, **where: str) -> dict[str, object]:
    found = findings.tables[table]
    rows = [dict(zip(found.columns, values, strict=True)) for values in found.rows]
    return next(one for one in rows if all(one[name] == value for name, value in where.items()))


def test_a_class_has_its_own_share_clean_and_under_attack(subject: Subject, ask: Ask) -> None:
    """Of `middle`, low: 10 to 13 right and 17 wrong; 13 falls. High: 14 to 16 right; 14 falls to `first`, and of 16
    `first` knows nothing: the worst case is over the samples that both attacks have."""
    found = ask(replace(subject, models=subject.models[:1]))
    low, high = (row(found, "By class", **{"class": name}) for name in subject.data.classes)
    assert (low["clean"], low["robust"], low["worst"], low["samples"]) == (0.8, 0.75, 0, 5)
    assert (high["clean"], high["robust"], high["worst"], high["samples"]) == (1.0, 0.5, 1, 3)
    assert found.metrics == {
        "clean_accuracy": 0.875, "worst_class_accuracy": 0.8, "robust_accuracy": pytest.approx(4 / 6),
        "worst_class_robust_accuracy": 0.5, "tail_robust_accuracy": 0.5,
    }  # fmt: skip
    assert set(found.metrics) <= CLASS_ACCURACY.metrics


def test_models_of_one_label_are_one_row_with_students_interval(subject: Subject, ask: Ask) -> None:
    first, second = (replace(model, label=f"erm {model.digest}") for model in subject.models)
    found = ask(replace(subject, models=(first, second), adversarials=()))
    clean, interval = mean_interval([7 / 8, 5 / 8])
    whole = row(found, "On average and in the worst class", model="erm")
    assert interval is not None
    assert (whole["models"], whole["clean"], whole["robust"]) == (2, clean, None)
    assert whole["clean low"] == max(0.0, interval.low)
    assert whole["clean, worst class"] == mean([4 / 5, 2 / 5])
    assert "Differences" not in found.tables


def test_differences_are_later_minus_first_in_pairs(subject: Subject, ask: Ask) -> None:
    first, second = (
        replace(model, label=f"at {height}") for model, height in zip(subject.models, (0.5, 0.25), strict=True)
    )
    found = ask(replace(subject, models=(first, second), adversarials=()))
    gap = row(found, "Differences", model="at 0.25", accuracy="clean")
    assert (gap["against"], gap["difference"], gap["low"], gap["pairs"]) == ("at 0.5", -0.25, None, 1)
    worst = row(found, "Differences", model="at 0.25", accuracy="clean, worst class")
    assert worst["difference"] == pytest.approx(2 / 5 - 4 / 5)


def test_students_interval() -> None:
    """Of 1, 2, 3: t(0.975, 2) = 4.303, standard error 1 / sqrt 3."""
    centre, interval = mean_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert (centre, interval.high) == (2.0, pytest.approx(2 + 4.30265 / 3**0.5, abs=1e-4))
    assert mean_interval([5.0]) == (5.0, None)


def test_of_many_classes_the_weakest_and_the_strongest_are_drawn(subject: Subject) -> None:
    bars = {"clean": ClassBars(bars=[(0.2, None, None), None, (0.9, 0.8, 1.0)], average=0.5)}
    assert class_bars(["a", "b", "c"], {"model": bars}).startswith(b"\x89PNG")
    params = CLASS_ACCURACY.params.parse({"shown": 1})
    evaluation = CLASS_ACCURACY.load()
    few = evaluation.reduce(subject, evaluation.map(subject, subject.data, params), params).pictures()
    every = CLASS_ACCURACY.params.parse({})
    assert few != evaluation.reduce(subject, evaluation.map(subject, subject.data, every), every).pictures()
