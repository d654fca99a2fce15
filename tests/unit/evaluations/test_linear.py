"""The closed forms of linear models."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from advorch.errors import StageFailed
from advorch.kit.evaluation.subject import Subject
from advorch.testing.fakes import LinearModel, tiny_data
from advorch_builtins.evaluations.catalog_explaining import LINEAR
from advorch_builtins.evaluations.linear import weights_of, worst_margin

EPSILONS = [0.01, 0.05, 0.1]


def test_the_margin_of_two_classes_falls_by_epsilon_times_the_l1_norm(pair: Subject, rows: Any) -> None:
    found = rows(LINEAR, pair, epsilons=EPSILONS)
    weight = pair.models[0].module.weight.detach().double()
    length = (weight[1] - weight[0]).abs().sum()
    for place, epsilon in enumerate(EPSILONS):
        measured = found["before/0"] - found["measured free/0"][:, place]
        theory = found["before/0"] - found["theory free/0"][:, place]
        torch.testing.assert_close(theory, torch.full_like(theory, float(epsilon * length)), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(measured, theory, rtol=1e-5, atol=1e-6)


def test_the_box_takes_from_theory_what_it_takes_from_the_attack(pair: Subject, rows: Any) -> None:
    near_the_edge = replace(pair, data=replace(pair.data, x=pair.data.x.round()))
    found = rows(LINEAR, near_the_edge, epsilons=EPSILONS)
    torch.testing.assert_close(found["measured boxed/0"], found["theory boxed/0"], rtol=1e-5, atol=1e-5)
    assert (found["theory boxed/0"] > found["theory free/0"] + 1e-4).all()


def test_no_point_of_the_ball_is_worse_than_theory_says(images: Subject) -> None:
    model, batch = images.models[0], images.data
    weights = weights_of(model, batch)
    worst = worst_margin(weights, batch, 0.1)
    rng = torch.Generator().manual_seed(0)
    for _ in range(200):
        corner = (torch.rand(batch.x.shape, generator=rng) < 0.5).double() * 0.2 - 0.1
        z = (batch.x.double() + corner).clamp(0, 1)
        assert (weights.margins(z, batch.y).amin(1) >= worst - 1e-6).all()


def test_fgsm_leaves_at_least_the_exact_robust_accuracy(images: Subject, evaluate: Any) -> None:
    table = evaluate(LINEAR, images, epsilons=EPSILONS).tables["Theory and measurement"]
    for exact, measured in zip(
        table.column("robust accuracy, exact"), table.column("accuracy after FGSM"), strict=True
    ):
        assert measured >= exact


def test_a_bent_model_is_named_and_left_out(images: Subject, evaluate: Any) -> None:
    findings = evaluate(LINEAR, images)
    assert set(findings.tables["Theory and measurement"].column("model")) == {"linear"}
    assert any("bent is not linear" in note for note in findings.notes)
    assert findings.metrics.keys() == LINEAR.metrics


def test_without_a_linear_model_it_says_so_in_one_line(images: Subject, evaluate: Any) -> None:
    with pytest.raises(StageFailed, match="no model is linear"):
        evaluate(LINEAR, replace(images, models=images.models[1:]))


def test_sparse_weights_are_counted(evaluate: Any, pair: Subject) -> None:
    model = LinearModel(12, 2)
    with torch.no_grad():
        model.weight[:, 3:] = 0
    one = replace(pair.models[0], module=model)
    table = evaluate(LINEAR, replace(pair, models=(one,))).tables["Weights"]
    assert table.column("weights that count") == (3 / 12,)


def test_pictures_are_drawn_of_images_of_two_and_of_three_classes(images: Subject, evaluate: Any) -> None:
    assert {"Robust accuracy along epsilon", "Weights"} == evaluate(LINEAR, images).pictures().keys()
    two = replace(
        images, data=tiny_data(8, (1, 4, 4), 2), models=(replace(images.models[0], module=LinearModel(16, 2)),)
    )
    assert "Weights" in evaluate(LINEAR, two).pictures()


def test_in_a_ball_of_nothing_there_is_no_gap(pair: Subject, evaluate: Any) -> None:
    findings = evaluate(LINEAR, pair, epsilons=[0.1, 0.0])
    assert findings.metrics["gain_error"] == 0
    assert findings.metrics["robust_accuracy"] == findings.metrics["clean_accuracy"]
