"""Curves of trainings: means over models of one label, each metric on an axis of its own, and what nobody recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

from advorch.errors import StageFailed
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.fakes import LinearModel, tiny_data
from advorch_builtins.evaluations import catalog_training
from advorch_builtins.evaluations.training_curves import families_of

Epochs = Sequence[Mapping[str, float]]
SHORT = ({"loss": 3.0, "clean_accuracy": 0.2}, {"loss": 2.0, "clean_accuracy": 0.4})
LONG = ({"loss": 1.0, "clean_accuracy": 0.4}, {"loss": 1.0, "clean_accuracy": 0.6}, {"loss": 0.5, "lds": -0.1})


def subject_of(**histories: Epochs) -> Subject:
    models = [
        SubjectModel(
            label=f"{name.split('_')[0]} {digest * 8}" if "_" in name else name,
            digest=digest * 64,
            module=LinearModel(12).eval(),
            history=tuple(history),
        )
        for (name, history), digest in zip(histories.items(), "abcdef", strict=False)
    ]
    return Subject(data=tiny_data(), models=tuple(models))


def ask(subject: Subject, **values: Any) -> Findings:
    component = catalog_training.TRAINING_CURVES
    evaluation, params = component.load(), component.params.parse(values)
    return evaluation.reduce(subject, evaluation.map(subject, subject.data, params), params)


def test_models_of_one_label_are_one_line_with_a_band() -> None:
    subject = subject_of(vat_1=SHORT, vat_2=LONG, erm=SHORT)
    rows = catalog_training.TRAINING_CURVES.load().map(subject, subject.data, catalog_training.TrainingCurvesParams())
    vat, erm = families_of(subject, rows)
    curve, alone = vat.curve("loss"), erm.curve("loss")
    assert curve
    assert alone
    assert (vat.name, erm.name) == ("vat", "erm")
    assert (curve.x, curve.y) == ([1.0, 2.0, 3.0], [2.0, 1.5, 0.5])
    assert (curve.low, curve.high) == ([1.0, 1.0, 0.5], [3.0, 2.0, 0.5])
    assert not alone.low
    assert vat.accuracy.total == 2 * len(subject.data)


def test_a_metric_that_some_epochs_lack_is_drawn_where_it_is() -> None:
    rows = {"right/0": torch.ones(8, dtype=torch.bool)}
    (family,) = families_of(subject_of(erm=LONG), rows)
    curve = family.curve("lds")
    assert curve
    assert (curve.x, curve.y) == ([3.0], [-0.1])
    assert family.curve("robust_accuracy") is None


def test_tables_and_figures_say_what_was_recorded() -> None:
    found = ask(subject_of(erm=LONG, vat=SHORT))
    assert list(found.figures) == ["Loss by epoch", "Clean accuracy by epoch", "Lds by epoch"]
    table = found.tables["Trainings"]
    assert table.column("metric") == ("loss", "clean_accuracy", "lds", "loss", "clean_accuracy")
    assert table.column("last") == (0.5, 0.6, -0.1, 2.0, 0.4)
    assert table.column("at") == (3, 1, 3, 2, 1)
    epochs = found.tables["By epoch"]
    assert epochs.columns == ("model", "epoch", "loss", "clean_accuracy", "lds")
    assert epochs.rows[2] == ("erm", 3, 0.5, None, -0.1)
    assert found.metrics["vat.epochs"] == 2.0
    assert all(picture.startswith(b"\x89PNG") for picture in found.pictures().values())


def test_only_what_is_asked_for_and_on_the_axis_asked_for() -> None:
    linear = ask(subject_of(erm=LONG), metrics=["loss"]).pictures()
    log = ask(subject_of(erm=LONG), metrics=["loss"], log=["loss"]).pictures()
    assert list(linear) == list(log) == ["Loss by epoch"]
    assert linear["Loss by epoch"] != log["Loss by epoch"]


def test_a_metric_that_nobody_recorded_is_an_error_that_names_the_others() -> None:
    with pytest.raises(StageFailed, match="no training recorded 'los'") as caught:
        ask(subject_of(erm=SHORT), metrics=["los"])
    assert "clean_accuracy, loss" in str(caught.value.hint)


def test_a_model_without_a_record_is_named() -> None:
    found = ask(subject_of(pretrained=(), erm=SHORT))
    assert "pretrained has no record of its training." in found.notes
    assert found.tables["Trainings"].rows[0][-8:] == (None,) * 8
    assert not ask(subject_of(pretrained=())).figures
