"""Sets across models whose every verdict is known by hand, and what is said of equal mistakes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel, name_sets
from advorch.testing.evaluations import rows_of
from advorch_builtins.evaluations.catalog_transfer import TRANSFER, TransferParams
from advorch_builtins.evaluations.wrong_labels import by_chance

CLASSES = ("a", "b", "c")


class Steps(nn.Module):
    """Class 0, 1 or 2 by where the only number lies between two thresholds."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        place = (x.flatten() > self.low).long() + (x.flatten() > self.high).long()
        return nn.functional.one_hot(place, 3).float()


def subject_of(*sets: AdversarialSet) -> Subject:
    """Three models that agree on what is clean: a number below .3 is a, one above .7 is c."""
    models = {"one": Steps(0.3, 0.7), "two": Steps(0.35, 0.65), "three": Steps(0.5, 0.9)}
    x = torch.tensor([[0.1], [0.2], [0.8], [0.95]])
    data = Data(x=x, y=torch.tensor([0, 0, 2, 2]), ids=torch.tensor([5, 6, 7, 8]), classes=CLASSES, box=(0.0, 1.0))
    known = tuple(SubjectModel(label=name, digest=name, module=module) for name, module in models.items())
    return Subject(data=data, data_digest="data", models=known, adversarials=name_sets(sets))


def moved(
    to: list[float], model: str, *, surrogates: tuple[str, ...] = (), target: int | None = None
) -> AdversarialSet:
    x = torch.tensor(to)[:, None]
    y = torch.tensor([0, 0, 2, 2])
    return AdversarialSet(
        adversarial=x, ids=torch.tensor([5, 6, 7, 8]), y=y, clean_prediction=y, adversarial_prediction=y,
        success=torch.zeros(4, dtype=torch.bool), distance=torch.zeros(4), queries=torch.zeros(4), classes=CLASSES,
        box=(0.0, 1.0), attack="attack/ensemble",
        settings={"norm": "linf", "epsilon": 0.4, "targeted": target is not None}, model=model, data="data",
        label=model, surrogates=surrogates, target=None if target is None else torch.full((4,), target),
    )  # fmt: skip


def evaluate(subject: Subject, **params: object) -> Findings:
    evaluation = TRANSFER.load()
    known = TransferParams.parse(params)
    return evaluation.reduce(subject, rows_of(evaluation, subject, known, 3), known)


def test_a_row_is_named_by_what_was_left_out_and_counts_what_all_models_had_right() -> None:
    """The sample at .8 is b to `three`, so that three of four samples count."""
    leaving_three_out = moved([0.4, 0.2, 0.5, 0.6], "three", surrogates=("one", "two"))
    findings = evaluate(subject_of(leaving_three_out))
    table = findings.tables["Transfer"]
    assert table.columns == ("attack", "made on", "samples", "RMSD of 255", "one", "two", "three")
    [row] = table.rows
    assert row[:3] == ("ensemble linf eps 0.4", "-three", 3)
    assert row[3] == pytest.approx(255 * (0.3 + 0.0 + 0.35) / 3)
    assert row[4:] == (pytest.approx(1 / 3), pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert findings.metrics["seen_accuracy"] == pytest.approx(1 / 3)
    assert findings.metrics["unseen_accuracy"] == pytest.approx(2 / 3)
    assert findings.metrics["rmsd"] == pytest.approx(255 * 0.65 / 3)


def test_a_white_box_set_is_named_by_its_model_and_an_unknown_one_is_said_to_be() -> None:
    findings = evaluate(subject_of(moved([0.4, 0.2, 0.5, 0.6], "two"), moved([0.1] * 4, "somewhere")))
    assert [row[1] for row in findings.tables["Transfer"].rows] == ["two", "elsewhere"]
    assert any("Made on models that are not here" in note for note in findings.notes)


def test_equal_mistakes_are_counted_where_a_pair_was_not_driven_together() -> None:
    """Made on `one`: of three samples all models are wrong on two; the second says c, c, and the others b, c."""
    findings = evaluate(subject_of(moved([0.68, 0.92, 0.8, 0.95], "one")), names=["first", "second", "third"])
    table = findings.tables["Equal wrong labels"]
    rows = {row[1:3]: row[3:] for row in table.rows}
    assert rows.keys() == {("first", "second"), ("first", "third"), ("second", "third")}
    assert rows["first", "third"][:2] == (2, 1.0)
    assert rows["first", "second"][:2] == rows["second", "third"][:2] == (2, 0.5)
    assert rows["first", "third"][-1] == pytest.approx(0.5)
    assert findings.metrics["equal_wrong_labels"] == pytest.approx(4 / 6)
    driven = evaluate(subject_of(moved([0.6, 0.92, 0.8, 0.95], "three", surrogates=("one", "two"))))
    assert {row[1:3] for row in driven.tables["Equal wrong labels"].rows} == {("one", "three"), ("two", "three")}


def test_chance_is_that_of_each_models_own_habits() -> None:
    y = torch.tensor([0, 0, 0, 0, 1, 1])
    one, other = torch.tensor([1, 1, 2, 2, 0, 0]), torch.tensor([1, 2, 1, 2, 0, 2])
    assert by_chance(y, one, other, 3) == pytest.approx((4 * 0.5 + 2 * 0.5) / 6)
    assert by_chance(y[:0], one[:0], other[:0], 3) == 0


def test_targets_have_a_table_of_their_own() -> None:
    findings = evaluate(subject_of(moved([0.4, 0.2, 0.5, 0.6], "three", surrogates=("one", "two"), target=1)))
    [row] = findings.tables["Targets"].rows
    assert row[2:] == (3, pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert findings.metrics["unseen_target_rate"] == pytest.approx(1 / 3)
    assert "Targets" not in evaluate(subject_of(moved([0.4, 0.2, 0.5, 0.6], "three"))).tables


def test_names_must_fit_and_sets_must_be_there() -> None:
    subject = subject_of(moved([0.4, 0.2, 0.5, 0.6], "three"))
    for names in (["only"], ["a", "a", "b"]):
        with pytest.raises(StageFailed, match="`names` are"):
            evaluate(subject, names=names)
    with pytest.raises(StageFailed, match="needs adversarial sets"):
        evaluate(replace(subject, adversarials=()))


def test_a_set_that_was_made_from_other_samples_is_refused() -> None:
    """Ids of two splits are alike; the distances that were recorded are not those that are measured."""
    stray = replace(moved([0.4, 0.2, 0.5, 0.6], "one"), data="another split")
    with pytest.raises(StageFailed, match="made from other samples"):
        evaluate(subject_of(stray))
    recorded = torch.tensor([0.3, 0.0, 0.3, 0.35])
    assert evaluate(subject_of(replace(stray, distance=recorded))).tables["Transfer"].rows[0][2] == 3
