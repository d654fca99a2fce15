"""Noise of no class."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_explaining import RUBBISH

TOWARDS = {"uses": "fgsm", "with": {"epsilon": 0.3, "targeted": True}}


class Constant(nn.Module):
    """The same logits for everything; a gradient that is zero."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1) + 0 * x.flatten(1).sum(1, keepdim=True)


def test_a_model_that_is_never_sure_makes_no_errors_and_one_that_always_is_makes_all(
    images: Subject, evaluate: Any
) -> None:
    models = (
        replace(images.models[0], label="flat", module=Constant(0.0, 0.0, 0.0)),
        replace(images.models[1], label="sure", module=Constant(9.0, 0.0, 0.0)),
    )
    findings = evaluate(RUBBISH, replace(images, models=models))
    assert findings.metrics["flat.rubbish_error"] == 0
    assert "flat.rubbish_confidence" not in findings.metrics
    assert findings.metrics["sure.rubbish_error"] == 1
    sure = float(torch.tensor([9.0, 0.0, 0.0]).softmax(0)[0])
    assert findings.metrics["sure.rubbish_confidence"] == pytest.approx(sure, abs=1e-6)


def test_noise_belongs_to_the_sample_and_not_to_the_batch(images: Subject, rows: Any) -> None:
    few, many = (rows(RUBBISH, images, size, attack=TOWARDS) for size in (1, 12))
    for name, column in few.items():
        torch.testing.assert_close(column.double(), many[name].double(), rtol=1e-4, atol=1e-5)


def test_kinds_of_noise_are_drawn_apart(images: Subject, rows: Any) -> None:
    found = rows(RUBBISH, images)
    assert not torch.allclose(found["confidence/uniform/0"], found["confidence/normal/0"])


def test_an_attack_makes_rubbish_look_like_the_class_that_it_aims_at(images: Subject, evaluate: Any) -> None:
    alone = replace(images, models=images.models[:1])
    table = evaluate(RUBBISH, alone, attack=TOWARDS).tables["Rubbish"]
    by_input = dict(zip(table.column("input"), table.column("mean confidence"), strict=True))
    assert by_input["uniform + fgsm"] > by_input["uniform"]
    reached = dict(zip(table.column("input"), table.column("target reached"), strict=True))
    assert reached["uniform"] is None
    assert reached["uniform + fgsm"] > 0.5


def test_an_attack_without_a_target_is_refused(images: Subject, evaluate: Any) -> None:
    away = {"uses": "fgsm", "with": {"epsilon": 0.3}}
    with pytest.raises(StageFailed, match="aims at no class"):
        evaluate(RUBBISH, images, attack=away)


def test_what_is_drawn_is_there(images: Subject, evaluate: Any) -> None:
    assert len(evaluate(RUBBISH, images, attack=TOWARDS, shown=3).pictures()) == 2
