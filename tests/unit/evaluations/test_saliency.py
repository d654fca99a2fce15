"""Gradients of scores: a linear model's alignment is its distance to the boundary, and its picture is its weights."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.fakes import LinearModel, small_conv, tiny_data
from advorch.threat import Access, Norm
from advorch_builtins.evaluations.catalog_training import SALIENCY
from advorch_builtins.evaluations.saliency import alignment, shown


class Wavy(nn.Module):
    """A score that says nothing to second order at zero: sums of cosines."""

    def forward(self, x: Tensor) -> Tensor:
        wave = x.flatten(1).cos().sum(1, keepdim=True)
        return torch.cat([wave, wave - 1], 1)


def through_zero(features: int = 12) -> LinearModel:
    model = LinearModel(features).double().eval()
    model.bias.data.zero_()
    return model


def subject_of(*modules: nn.Module, data: Data | None = None) -> Subject:
    names = "abcdef"
    models = [
        SubjectModel(label=name, digest=name * 64, module=part) for name, part in zip(names, modules, strict=False)
    ]
    return Subject(data=data or tiny_data(), models=tuple(models))


def ask(subject: Subject, **values: Any) -> Findings:
    evaluation, params = SALIENCY.load(), SALIENCY.params.parse(values)
    return evaluation.reduce(subject, evaluation.map(subject, subject.data, params), params)


def test_the_alignment_of_the_lead_is_a_linear_models_distance_to_the_boundary() -> None:
    data = tiny_data()
    data = replace(data, x=data.x.double())
    model = through_zero()
    rows = SALIENCY.load().map(subject_of(model, data=data), data, SALIENCY.params.parse({"of": "lead"}))
    assert torch.allclose(rows["alignment/0"], model.distance(data.x, Norm.L2).double(), rtol=1e-12)


def test_the_gradient_of_the_score_is_the_row_of_the_predicted_class() -> None:
    data = tiny_data()
    model = through_zero().float()
    found = SALIENCY.load().map(subject_of(model, data=data), data, SALIENCY.params.parse({}))
    rows = model.weight[model(data.x).argmax(1)].double()
    expected = torch.nn.functional.cosine_similarity(rows, data.x.double()).abs()
    assert torch.allclose(found["cosine/0"], expected, rtol=1e-6)


def test_measures_are_free_of_the_gradients_size_and_of_its_sign() -> None:
    x, slope = torch.rand(5, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    whole = alignment(x, slope)
    for other in (3.5 * slope, -slope):
        assert all(torch.allclose(mine, theirs) for mine, theirs in zip(whole, alignment(x, other), strict=True))
    assert torch.allclose(alignment(2 * x, slope)[0], 2 * whole[0])
    assert torch.allclose(alignment(2 * x, slope)[1], whole[1])


def test_a_sample_without_a_gradient_is_counted_and_left_out() -> None:
    data = tiny_data()
    data = replace(data, x=torch.cat([torch.zeros_like(data.x[:2]), data.x[2:]]))
    found = ask(subject_of(Wavy(), data=data)).tables["Alignment"]
    assert found.column("without gradient") == (2,)
    assert 0 < float(found.column("cosine")[0] or 0) <= 1


def test_models_are_compared_sample_by_sample() -> None:
    found = ask(subject_of(through_zero().float(), through_zero().float()))
    table = found.tables["Alignment"]
    assert table.column("cosine above the first") == (None, 0.0)
    assert found.metrics["a.alignment"] == found.metrics["b.alignment"]


def test_pictures_are_of_images_only() -> None:
    points = ask(subject_of(through_zero().float())).pictures()
    conv = ask(subject_of(small_conv().eval(), data=tiny_data(shape=(1, 8, 8), classes=3))).pictures()
    assert list(points) == ["Cosine of image and gradient"]
    assert list(conv) == ["Cosine of image and gradient", "Images and gradients"]


def test_a_gradient_is_drawn_about_grey() -> None:
    drawn = shown(torch.tensor([0.0, 1.0, -1.0, 100.0] + [0.0] * 96))
    assert float(drawn[0]) == 0.5
    assert 0 <= float(drawn.min()) < 0.5 < float(drawn[3]) == 1.0


def test_a_model_that_gives_labels_alone_has_no_gradient_to_show() -> None:
    subject = subject_of(through_zero().float())
    closed = replace(subject, models=(replace(subject.models[0], access=Access.LABELS),))
    with pytest.raises(StageFailed, match="gradients"):
        ask(closed)
