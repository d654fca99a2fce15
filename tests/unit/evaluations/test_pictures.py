"""Triptych and gallery: what stands under the images is what the model says of them."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.evaluation.subject import Subject, name_sets
from advorch_builtins.evaluations import triptych
from advorch_builtins.evaluations.catalog_explaining import GALLERY, TRIPTYCH

EPSILON = 0.2


def test_the_three_images_are_what_the_paper_shows(images: Subject, rows: Any) -> None:
    found = rows(TRIPTYCH, images, epsilon=EPSILON)
    model, x = images.models[0].module, images.data.x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(x), images.data.y, reduction="sum")
    sign = torch.autograd.grad(loss, x)[0].sign()
    for part, image in {
        "clean": x.detach(),
        "sign": 0.5 + 0.5 * sign,
        "adversarial": (x.detach() + EPSILON * sign).clamp(0, 1),
    }.items():
        confidence, label = model(image).softmax(1).max(1)
        assert torch.equal(found[f"{part} label/0"], label)
        torch.testing.assert_close(found[f"{part} confidence/0"], confidence.detach(), rtol=1e-4, atol=1e-5)


def test_fooled_are_those_that_were_right_before(images: Subject, evaluate: Any) -> None:
    findings = evaluate(TRIPTYCH, replace(images, models=images.models[:1]), epsilon=EPSILON)
    (row,) = findings.tables["Summary"].rows
    right = images.models[0].predict(images.data.x) == images.data.y
    assert row[1] == int(right.sum())
    assert findings.metrics["fooled_rate"] == row[2]
    for shown in findings.tables["Shown"].rows:
        assert shown[3] == shown[2]  # right before
        assert shown[7] != shown[2]  # wrong after


def test_the_first_samples_can_be_shown_instead(images: Subject, evaluate: Any) -> None:
    shown = evaluate(TRIPTYCH, images, epsilon=EPSILON, choose="first", rows=2).tables["Shown"]
    assert shown.column("sample") == ("sample 3", "sample 10") * 2


def test_a_step_that_fools_nobody_has_no_picture_and_says_so(images: Subject, evaluate: Any) -> None:
    findings = evaluate(TRIPTYCH, images, epsilon=1e-9)
    assert not findings.pictures()
    assert any("no sample is right before and wrong after" in note for note in findings.notes)


def attacked(subject: Subject, norm: str, change: float, count: int) -> AdversarialSet:
    """The first so many numbers of every sample changed by so much."""
    z = subject.data.x.flatten(1).clone()
    z[:, :count] += change
    z = z.view_as(subject.data.x).clamp(0, 1)
    model = subject.models[0]
    before, after = model.predict(subject.data.x), model.predict(z)
    return AdversarialSet(
        adversarial=z, ids=subject.data.ids, y=subject.data.y, clean_prediction=before, adversarial_prediction=after,
        success=(before == subject.data.y) & (after != before), distance=(z - subject.data.x).flatten(1).abs().amax(1),
        queries=torch.ones(len(z)), classes=subject.data.classes, box=(0.0, 1.0), attack=f"attack/{norm}-stand-in",
        settings={"norm": norm, "epsilon": 16.0, "targeted": False}, model=model.digest, data="data", label=model.label,
    )  # fmt: skip


@pytest.fixture
def shown(images: Subject) -> Subject:
    one = replace(images, models=images.models[:1])
    return replace(one, adversarials=name_sets([attacked(one, "linf", 0.15, 16), attacked(one, "l1", -0.2, 4)]))


def test_sizes_are_given_in_every_norm(shown: Subject, evaluate: Any) -> None:
    table = evaluate(GALLERY, shown).tables["Perturbations"]
    rows = {row[1].partition(" ")[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    dense, sparse = rows["linf-stand-in"], rows["l1-stand-in"]
    if dense["fooled samples"]:
        assert dense["numbers changed"] == pytest.approx(1.0)
        assert dense["linf"] == pytest.approx(0.15, abs=1e-5)
        assert dense["l2"] == pytest.approx(0.6, abs=1e-4)
        assert dense["l1"] == pytest.approx(2.4, abs=1e-3)
    assert sparse["fooled samples"]
    assert sparse["numbers changed"] == pytest.approx(0.25)
    assert sparse["l1"] == pytest.approx(0.8, abs=1e-3)


def test_there_is_a_grid_for_each_attack_and_one_image_under_all(shown: Subject, evaluate: Any) -> None:
    pictures = evaluate(GALLERY, shown, columns=4, rows=2).pictures()
    assert [title.partition(":")[0].partition(" ")[0] for title in pictures] == ["linf-stand-in", "l1-stand-in", "One"]


def test_accuracies_are_judged_again(shown: Subject, evaluate: Any) -> None:
    findings = evaluate(GALLERY, shown)
    model, data = shown.models[0], shown.data
    stood = torch.ones(len(data), dtype=torch.bool)
    for item in shown.adversarials:
        stood &= (model.predict(data.x) == data.y) & (model.predict(item.samples.adversarial) == data.y)
    assert findings.metrics["robust_accuracy"] == pytest.approx(float(stood.double().mean()))


def test_what_is_wrong_before_and_after_is_marked_in_both_images(
    images: Subject, evaluate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny step changes no label: with wrong labels both images are wrong, and the sign is not judged."""
    drawn: list[list[bool | None]] = []
    monkeypatch.setattr(triptych, "formula", lambda lines, *_: drawn.extend([t.wrong for t in row] for row in lines))
    said = images.models[0].predict(images.data.x)
    wrong = replace(images, data=replace(images.data, y=(said + 1) % 3), models=images.models[:1])
    evaluate(TRIPTYCH, wrong, epsilon=1e-6, choose="first", rows=2).pictures()
    assert drawn == [[True, None, True]] * 2
