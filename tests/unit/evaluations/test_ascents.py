"""Attacks followed step by step, and one step that becomes FGSM."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from advorch.errors import StageFailed
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_ascents import DESCENT, ONE_STEP

EPSILON = 0.1
STEPS = 6


def attack(uses: str, **values: Any) -> dict[str, Any]:
    return {"uses": uses, "with": {"epsilon": EPSILON, **values}}


PROXIMAL = attack("proximal", steps=STEPS, alpha=0.02)
TOWARDS = attack("difference", steps=STEPS, alpha=0.02, targeted=True)


def test_the_first_step_is_the_sample_and_the_last_is_where_the_attack_ends(images: Subject, rows: Any) -> None:
    found = rows(DESCENT, images, attacks=[PROXIMAL], length=STEPS)
    model = images.models[1]
    clean = cross_entropy(model.module(images.data.x).detach(), images.data.y)
    assert found["loss/1/0"].shape == (len(images.data), STEPS + 1)
    torch.testing.assert_close(found["loss/1/0"][:, 0], clean, rtol=1e-5, atol=1e-6)


def test_a_linear_model_loses_the_same_margin_at_every_free_step(pair: Subject, rows: Any) -> None:
    """Away from box and ball z moves by alpha times the gradient: for two classes, p_other times the weights."""
    alpha = 1e-3
    found = rows(DESCENT, pair, attacks=[attack("proximal", steps=1, alpha=alpha)], length=1)
    weight = pair.models[0].module.weight.detach()
    pull = (weight[1] - weight[0]).square().sum()
    logits = pair.models[0].module(pair.data.x).detach()
    margin = logits.gather(1, pair.data.y[:, None])[:, 0] * 2 - logits.sum(1)
    after = margin - alpha * torch.sigmoid(-margin) * pull
    torch.testing.assert_close(found["loss/0/0"][:, 1], torch.nn.functional.softplus(-after), rtol=1e-4, atol=1e-5)


def test_who_ends_early_stays_and_who_goes_on_is_cut_off(images: Subject, rows: Any) -> None:
    long = rows(DESCENT, images, attacks=[PROXIMAL], length=STEPS + 3)["loss/0/0"]
    short = rows(DESCENT, images, attacks=[PROXIMAL], length=2)["loss/0/0"]
    assert (long[:, STEPS:] == long[:, STEPS : STEPS + 1]).all()
    torch.testing.assert_close(short, long[:, :3])


def test_the_table_has_every_so_many_steps_and_the_last(images: Subject, evaluate: Any) -> None:
    alone = replace(images, models=images.models[:1])
    findings = evaluate(DESCENT, alone, attacks=[PROXIMAL], length=STEPS, every=4)
    table = findings.tables["Loss by step"]
    assert table.column("step") == (0, 4, 6)
    assert table.column("loss of target") == (None, None, None)
    losses = table.column("loss of label")
    assert losses[0] < losses[1] < losses[2]
    assert findings.metrics.keys() == DESCENT.metrics


def test_robust_accuracy_never_rises(images: Subject, evaluate: Any) -> None:
    table = evaluate(DESCENT, images, attacks=[PROXIMAL], length=STEPS, every=1).tables["Loss by step"]
    for model in ("linear", "bent"):
        robust = [row[8] for row in table.rows if row[0] == model]
        assert robust == sorted(robust, reverse=True)


def test_a_target_is_approached(images: Subject, evaluate: Any) -> None:
    findings = evaluate(DESCENT, images, attacks=[TOWARDS], length=STEPS, target="class 2", every=3, shown=2)
    table = findings.tables["Loss by step"]
    first, last = table.column("loss of target")[0], table.column("loss of target")[2]
    assert last < first
    ends = findings.tables["Probabilities at the end"]
    aimed = [row for row in ends.rows if "target" in str(row[4])]
    assert {row[3] for row in aimed} <= {"class 2", "class 0", "class 1"}
    assert all(row[6] > row[5] for row in aimed)
    assert "Loss of the label less loss of the target by step" in findings.pictures()


def test_samples_of_the_target_class_draw_another(images: Subject, evaluate: Any) -> None:
    ends = evaluate(DESCENT, images, attacks=[TOWARDS], length=1, target="class 0", shown=3).tables[
        "Probabilities at the end"
    ]
    both = [row for row in ends.rows if row[4] is not None and "label" in str(row[4]) and "target" in str(row[4])]
    assert not both


def test_an_unknown_class_is_one_line(images: Subject, evaluate: Any) -> None:
    with pytest.raises(StageFailed, match="no class 'pig'"):
        evaluate(DESCENT, images, attacks=[TOWARDS], target="pig")


def test_one_large_step_is_fgsm_and_a_small_one_is_not(images: Subject, evaluate: Any) -> None:
    findings = evaluate(
        ONE_STEP, images, attack=attack("proximal", steps=1), against=attack("fgsm"), alphas=[1e-3, 1.0, 1e8]
    )
    table = findings.tables["One step"]
    for model in ("linear", "bent"):
        equal = [row[2] for row in table.rows if row[0] == model]
        theory = [row[3] for row in table.rows if row[0] == model]
        assert equal[0] < 0.1
        assert equal[-1] == theory[-1] == 1.0
        assert equal == pytest.approx(theory, abs=0.01)
    assert table.column("mean distance")[2] == pytest.approx(0, abs=1e-4)


def test_of_two_classes_theory_is_the_share_of_large_enough_gradients(pair: Subject, rows: Any) -> None:
    found = rows(ONE_STEP, pair, attack=attack("proximal", steps=1), against=attack("fgsm"), alphas=[0.3, 3.0])
    weight = pair.models[0].module.weight.detach()
    logits = pair.models[0].module(pair.data.x).detach()
    other = 1 - logits.softmax(1).gather(1, pair.data.y[:, None])
    pull = (other * (weight[1] - weight[0]).abs()).abs()
    for column, alpha in enumerate((0.3, 3.0)):
        wanted = (alpha * pull >= EPSILON).double().mean(1)  # samples lie inside the box by more than epsilon
        torch.testing.assert_close(found["step predicted/0"][:, column], wanted, atol=0.1, rtol=0)
        torch.testing.assert_close(found["step equal/0"][:, column], wanted, atol=0.1, rtol=0)


def test_what_cannot_be_compared_is_refused(pair: Subject, evaluate: Any) -> None:
    one = attack("proximal", steps=1)
    with pytest.raises(StageFailed, match="one epsilon"):
        evaluate(ONE_STEP, pair, attack=one, against={"uses": "fgsm", "with": {"epsilon": 0.2}})
    with pytest.raises(StageFailed, match="steps"):
        evaluate(ONE_STEP, pair, attack=attack("proximal", steps=2), against=attack("fgsm"))


def test_shown_are_samples_that_are_right_before_the_attack_begins(images: Subject, evaluate: Any) -> None:
    """A random start in a large ball is no sample."""
    attack = {"uses": "pgd", "with": {"epsilon": 1.0, "steps": 2}}
    findings = evaluate(DESCENT, images, attacks=[attack], length=2, shown=20)
    right = images.models[0].predict(images.data.x) == images.data.y
    shown = {row[2] for row in findings.tables["Probabilities at the end"].rows}
    assert 0 < int(right.sum()) < len(right)
    assert shown == {f"sample {int(index)}" for index in images.data.ids[right]}
