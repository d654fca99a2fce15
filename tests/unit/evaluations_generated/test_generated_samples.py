"""Evaluations of samples against data, on samples that are known."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.fakes import tiny_data

Evaluate = Callable[..., Findings]
Points = Callable[..., Data]


class Sign(nn.Module):
    """Class 1 right of the middle."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([-x[:, 0], x[:, 0]], dim=1)


def test_a_shift_is_found_by_every_distance_and_the_floor_is_not(evaluate: Evaluate, new_points: Points) -> None:
    subject = Subject(data=new_points(800, 0), samples=new_points(400, 1, shift=3.0))
    found = evaluate("transport", subject, samples=300).metrics
    assert found["w1"] == pytest.approx(3, abs=0.3)
    assert found["w2"] == pytest.approx(3, abs=0.3)
    assert found["sliced"] == pytest.approx(3 / math.sqrt(2), abs=0.3)
    assert max(found["w1_floor"], found["w2_floor"], found["sliced_floor"]) < 0.6


def test_samples_of_the_same_law_are_at_the_floor(evaluate: Evaluate, new_points: Points) -> None:
    subject = Subject(data=new_points(800, 0), samples=new_points(400, 1))
    found = evaluate("transport", subject).metrics
    assert found["w1"] == pytest.approx(found["w1_floor"], rel=0.4)


def test_too_few_samples_are_refused(evaluate: Evaluate, new_points: Points) -> None:
    with pytest.raises(StageFailed, match="too few"):
        evaluate("transport", Subject(data=new_points(3, 0), samples=new_points(10, 1)))


def test_fidelity_has_a_floor_and_names_its_features(evaluate: Evaluate, new_points: Points) -> None:
    model = SubjectModel(label="net", digest="0123456789abcdef", module=nn.Sequential(nn.Linear(2, 2)).eval())
    subject = Subject(data=new_points(1000, 0), samples=new_points(500, 1, shift=2.0), models=(model,))
    findings = evaluate("fidelity", subject)
    assert findings.metrics["frechet"] == pytest.approx(4, rel=0.15)
    assert findings.metrics["frechet_floor"] < 0.1
    assert findings.metrics["precision"] < findings.metrics["precision_floor"]
    table = findings.tables["Fidelity"]
    assert table.column("digest") == ("0123456789ab",) * 2
    assert table.column("samples") == ("generated", "real (the floor)")
    assert findings.notes == ["500 samples of each kind."]


def test_few_samples_for_many_features_are_remarked_on(evaluate: Evaluate, images: Subject) -> None:
    assert any("few for a covariance" in note for note in evaluate("fidelity", images).notes)


def test_agreement_is_with_what_was_asked_for(evaluate: Evaluate, new_points: Points) -> None:
    model = SubjectModel(label="sign", digest="s", module=Sign())
    samples = new_points(100, 1)
    asked = samples.y.clone()
    asked[:25] = 1 - asked[:25]
    subject = Subject(data=new_points(50, 0), samples=replace(samples, y=asked), models=(model,))
    found = evaluate("class-agreement", subject).metrics
    assert found["agreement"] == pytest.approx(0.75)
    assert found["real_accuracy"] == 1
    assert found["smallest_class"] == pytest.approx(float(torch.bincount(samples.y).min()) / 100)
    silent = replace(samples, y=torch.full((100,), -1))
    findings = evaluate("class-agreement", replace(subject, samples=silent))
    assert "agreement" not in findings.metrics
    assert "asked for" in findings.notes[0]


def test_copies_of_the_training_set_are_found_and_shown(evaluate: Evaluate, images: Subject) -> None:
    findings = evaluate("memorisation", images, columns=5, rows=1)
    assert findings.metrics["memory_ratio"] == pytest.approx(0, abs=1e-3)
    assert findings.metrics["memory_share"] == 1
    assert findings.metrics["memory_ratio_features"] == pytest.approx(0, abs=1e-2)
    assert findings.tables["Memorisation"].column("digest") == ("", "abcdef012345")
    assert len(findings.pictures()) == 1


def test_new_samples_are_not_taken_for_copies(evaluate: Evaluate, images: Subject) -> None:
    fresh = replace(images, samples=tiny_data(60, (1, 4, 4), 2, seed=5))
    found = evaluate("memorisation", fresh).metrics
    assert found["memory_ratio"] >= 0.8
    assert found["memory_share"] <= 0.1


def test_the_discriminator_of_one_law_is_worth_minus_log_four(evaluate: Evaluate, new_points: Points) -> None:
    subject = Subject(data=new_points(8000, 0, size=1), samples=new_points(4000, 1, size=1), seed=3)
    findings = evaluate("discriminator", subject, steps=150, hidden=[16])
    assert findings.metrics["value"] == pytest.approx(-math.log(4), abs=0.02)
    assert findings.metrics["value_floor"] == pytest.approx(-math.log(4), abs=0.02)
    assert len(findings.pictures()) == 1


def test_critics_find_a_shift_and_nothing_between_halves(evaluate: Evaluate, new_points: Points) -> None:
    subject = Subject(data=new_points(4000, 0), samples=new_points(2000, 1, shift=2.0), seed=3)
    found = evaluate("critic-distance", subject, steps=300, batch=256, samples=400).metrics
    assert found["critic"] == pytest.approx(2, rel=0.15)
    assert found["w1"] == pytest.approx(2, rel=0.15)
    assert found["least"] <= found["w1"] + 0.1
    assert 0.3 < found["neural"] <= 2.1
    assert max(abs(found["critic_floor"]), abs(found["neural_floor"])) < 0.2


def test_slopes_stay_below_the_bound(evaluate: Evaluate, images: Subject) -> None:
    findings = evaluate("lipschitz", images, pairs=500)
    assert 0 < findings.metrics["rise"] <= findings.metrics["bound"]
    assert findings.metrics["slope"] <= findings.metrics["bound"]
    assert findings.tables["Layers"].rows
    unknown = replace(
        images, models=(SubjectModel(label="sign", digest="s", module=nn.Sequential(nn.Flatten(), Sign())),)
    )
    findings = evaluate("lipschitz", unknown, pairs=50)
    assert "bound" not in findings.metrics
    assert findings.metrics["slope"] == pytest.approx(math.sqrt(2))
