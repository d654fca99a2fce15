from dataclasses import replace
from typing import Any

import pytest
import torch

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversarial_set import COLUMNS
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.statistics import wilson
from advorch.kit.evaluation.subject import Subject, name_sets
from advorch.testing.evaluations import rows_of
from advorch.threat import Budget
from advorch_builtins.evaluations.catalog import ROBUSTNESS, RobustnessParams
from advorch_builtins.evaluations.robustness import Robustness

PARAMS = RobustnessParams()


def evaluate(subject: Subject, chunk: int = 3) -> Findings:
    torch.set_num_threads(1)
    return Robustness().reduce(subject, rows_of(Robustness(), subject, PARAMS, chunk), PARAMS)


def rows(table: Table, **where: object) -> list[dict[str, Any]]:
    records = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [record for record in records if all(record[name] == value for name, value in where.items())]


def accuracy(findings: Findings, attack: str, model: str = "erm middle") -> dict[str, Any]:
    (row,) = rows(findings.tables["Accuracy by attack"], model=model, attack=attack)
    return row


def test_a_model_alone_has_plain_metrics_that_are_known_by_hand(subject: Subject) -> None:
    metrics = evaluate(replace(subject, models=subject.models[:1])).metrics
    assert metrics == {
        "clean_accuracy": 7 / 8,
        "worst_class_accuracy": 4 / 5,
        "attacked": 6,
        "robust_accuracy": 4 / 6,
        "worst_class_robust_accuracy": 1 / 2,
        "tail_robust_accuracy": 1 / 2,
        "violations": 1,
        "mean_distance": pytest.approx((0.07 + 0.07 + 0.06) / 3),
    }
    assert metrics.keys() == ROBUSTNESS


def test_several_models_have_metrics_under_their_names(subject: Subject) -> None:
    metrics = evaluate(subject).metrics
    assert metrics["erm_middle.robust_accuracy"] == 4 / 6
    assert metrics["erm_early.clean_accuracy"] == 5 / 8
    assert "erm_early.robust_accuracy" not in metrics


def test_each_attack_counts_the_samples_that_it_covers(subject: Subject) -> None:
    findings = evaluate(subject)
    weak, strong = accuracy(findings, "pgd linf eps 0.1, steps 10"), accuracy(findings, "pgd linf eps 0.1, steps 20")
    assert (weak["samples"], weak["accuracy"], weak["clean accuracy"]) == (6, 4 / 6, 1.0)
    assert (strong["samples"], strong["accuracy"], strong["clean accuracy"]) == (8, 6 / 8, 7 / 8)
    interval = wilson(4, 6)
    assert (weak["low"], weak["high"]) == (interval.low, interval.high)
    assert weak["mean distance"] == pytest.approx(0.07)


def test_the_worst_case_is_of_the_samples_that_all_attacks_covered(subject: Subject) -> None:
    worst = accuracy(evaluate(subject), "all linf eps 0.1")
    assert (worst["kind"], worst["samples"], worst["accuracy"]) == ("worst case", 6, 4 / 6)


def test_a_sample_outside_of_its_ball_is_counted_and_fools_nobody(subject: Subject) -> None:
    findings = evaluate(subject)
    assert accuracy(findings, "pgd linf eps 0.1, steps 10")["outside"] == 1
    assert accuracy(findings, "pgd linf eps 0.1, steps 20")["outside"] == 0
    assert any("1 samples lie outside" in note for note in findings.notes)


def test_an_attack_s_claims_are_compared_and_not_believed(subject: Subject) -> None:
    weak = accuracy(evaluate(subject), "pgd linf eps 0.1, steps 10")
    # It claims 10, whose prediction never changed, and 12, which is outside of the ball.
    assert weak["unconfirmed"] == 2
    assert weak["agreement"] == 5 / 6


def test_a_lying_attack_changes_nothing(subject: Subject) -> None:
    sets = [item.samples for item in subject.adversarials]
    liars = [
        replace(item, success=~item.success, adversarial_prediction=1 - item.adversarial_prediction) for item in sets
    ]
    honest, lied = evaluate(subject), evaluate(replace(subject, adversarials=name_sets(liars)))
    assert honest.metrics == lied.metrics


def test_sets_of_another_model_are_transfer(subject: Subject) -> None:
    findings = evaluate(subject)
    (strange,) = rows(findings.tables["Transfer"], model="erm middle")
    assert (strange["attack"], strange["made for"]) == ("pgd linf eps 0.1", "erm unknown")
    assert (strange["samples"], strange["accuracy"], strange["clean accuracy"]) == (2, 1.0, 1.0)
    assert [row["made for"] for row in rows(findings.tables["Transfer"], model="erm early")] == [
        "erm middle",
        "erm middle",
        "erm unknown",
    ]
    assert not rows(findings.tables["Accuracy by attack"], model="erm early", kind="attack")
    assert any("is not evaluated: it counts as transfer only" in note for note in findings.notes)


def test_the_summary_has_a_row_a_model_with_its_worst_case_and_its_worst_class(subject: Subject) -> None:
    table = evaluate(subject).tables["Summary"]
    middle, early = rows(table)
    interval = wilson(4, 6)
    assert (middle["robust accuracy"], middle["robust low"], middle["robust high"]) == (
        4 / 6,
        interval.low,
        interval.high,
    )
    assert (middle["clean accuracy"], middle["samples"], middle["attacked"], middle["attacks"]) == (7 / 8, 8, 6, 2)
    assert (middle["worst class"], middle["worst class accuracy"]) == ("<b>high</b>", 1 / 2)
    assert middle["threat"] == "linf eps 0.1"
    assert (early["clean accuracy"], early["attacks"]) == (5 / 8, 0)
    assert early["robust accuracy"] is early["worst class"] is early["threat"] is None


def test_models_without_attacks_have_a_short_summary(subject: Subject) -> None:
    findings = evaluate(replace(subject, adversarials=()))
    assert "robust accuracy" not in findings.tables["Summary"].columns
    assert "Transfer" not in findings.tables


def test_ids_that_are_not_in_the_data_are_told(subject: Subject) -> None:
    assert any("1 of its 3 samples are not in the data" in note for note in evaluate(subject).notes)


def test_notes_say_what_was_not_done(subject: Subject) -> None:
    notes = evaluate(subject).notes
    assert "No gradient-masking checks were run" in notes[0]
    assert any("erm middle: robust accuracies are of 6 of 8 samples" in note for note in notes)
    assert any("erm early: no attack was made for it" in note for note in notes)


def test_what_holds_for_all_models_is_said_once(subject: Subject) -> None:
    twins = (subject.models[0], replace(subject.models[0], label="erm twin"))
    notes = evaluate(replace(subject, models=twins, adversarials=name_sets([subject.adversarials[0].samples]))).notes
    assert [note for note in notes if "6 of 8" in note] == [
        "all models: robust accuracies are of 6 of 8 samples, those that every attack tried."
    ]


def test_classes_are_apart_and_under_attack(subject: Subject) -> None:
    findings = evaluate(subject)
    low, high = rows(findings.tables["Accuracy by class"], model="erm middle")
    assert (low["samples"], low["clean accuracy"], low["attacked"], low["robust accuracy"]) == (5, 4 / 5, 4, 3 / 4)
    assert (high["samples"], high["clean accuracy"], high["attacked"], high["robust accuracy"]) == (3, 1.0, 2, 1 / 2)
    assert findings.tables["Confusion under attack: erm middle"].rows == (("low", 3, 1), ("<b>high</b>", 1, 1))


def test_models_differ_by_pairs(subject: Subject) -> None:
    (clean,) = rows(evaluate(subject).tables["Differences"])
    assert (clean["model"], clean["accuracy"], clean["samples"]) == ("erm early", "clean", 8)
    assert clean["difference"] == pytest.approx(-2 / 8)
    assert clean["low"] < -2 / 8 < clean["high"]


@pytest.mark.parametrize("chunk", [1, 2, 8])
def test_the_cut_into_chunks_makes_no_difference(subject: Subject, chunk: int) -> None:
    whole, cut = evaluate(subject, chunk=3), evaluate(subject, chunk=chunk)
    assert whole.metrics == cut.metrics
    assert whole.tables == cut.tables
    assert whole.notes == cut.notes


def test_without_attacks_there_are_clean_accuracies_only(subject: Subject) -> None:
    findings = evaluate(replace(subject, models=subject.models[:1], adversarials=()))
    assert findings.metrics == {"clean_accuracy": 7 / 8, "worst_class_accuracy": 4 / 5}
    assert set(findings.figures) == {"Clean and robust accuracy", "Accuracy by class: erm middle"}


def test_several_balls_have_a_worst_case_together(subject: Subject) -> None:
    wider = replace(subject.adversarials[1].samples, settings={"norm": "linf", "epsilon": 0.2, "targeted": False})
    findings = evaluate(replace(subject, adversarials=name_sets([subject.adversarials[0].samples, wider])))
    assert accuracy(findings, "all attacks")["samples"] == 6
    assert any("over several balls together (linf eps 0.1, linf eps 0.2)" in note for note in findings.notes)


def test_attacks_without_a_common_sample_have_no_worst_case(subject: Subject) -> None:
    whole = subject.adversarials[1].samples
    halves = [
        replace(
            whole, settings={**whole.settings, "steps": steps}, **{name: getattr(whole, name)[part] for name in COLUMNS}
        )
        for steps, part in ((1, slice(4)), (2, slice(4, 8)))
    ]
    findings = evaluate(replace(subject, models=subject.models[:1], adversarials=name_sets(halves)))
    assert "robust_accuracy" not in findings.metrics
    assert any("no sample was tried by all 2 attacks" in note for note in findings.notes)


def test_a_set_with_other_labels_for_the_same_ids_is_refused(subject: Subject) -> None:
    foreign = replace(subject.adversarials[1].samples, y=1 - subject.adversarials[1].samples.y)
    with pytest.raises(StageFailed, match="made from other samples") as caught:
        evaluate(replace(subject, adversarials=name_sets([foreign])))
    assert caught.value.error_class is ErrorClass.USER


def test_a_set_of_another_split_with_equal_ids_is_refused(subject: Subject) -> None:
    elsewhere = replace(subject.data, x=subject.data.x + 0.03)
    assert evaluate(replace(subject, data_digest="a part of it")).metrics == evaluate(subject).metrics
    with pytest.raises(StageFailed, match="made from other samples"):
        evaluate(replace(subject, data=elsewhere, data_digest="elsewhere"))


def test_unlabelled_data_is_refused(subject: Subject) -> None:
    unlabelled = replace(subject.data, y=torch.full_like(subject.data.y, -1))
    with pytest.raises(StageFailed, match="a class for every sample"):
        evaluate(replace(subject, data=unlabelled, adversarials=()))


def test_a_minimal_budget_may_need_more_than_epsilon_and_has_not_fooled_then(subject: Subject) -> None:
    """Beyond epsilon is a violation for an attack of a fixed budget only; the accuracies are the same."""
    alone = replace(subject, models=subject.models[:1])
    free = tuple(replace(item, samples=replace(item.samples, budget=Budget.MINIMAL)) for item in alone.adversarials)
    held, found = evaluate(alone).metrics, evaluate(replace(alone, adversarials=free)).metrics
    assert held.pop("violations") == 1
    assert found.pop("violations") == 0
    assert held == found
