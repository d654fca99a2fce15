"""A plane through samples of linear models, whose boundaries on it are known."""

import math

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.evaluations import rows_of
from advorch_builtins.evaluations.catalog_regions import DECISION_REGIONS, DecisionRegionsParams
from advorch_builtins.evaluations.decision_regions import agreements, axes_of

WEIGHT = torch.tensor([0.5, -1.0, 2.0, 0.25])


class Half(nn.Module):
    """Class one where `w x` is above a height."""

    def __init__(self, weight: Tensor, height: float) -> None:
        super().__init__()
        self.weight, self.height = nn.Parameter(weight), height

    def forward(self, x: Tensor) -> Tensor:
        gap = x.flatten(1) @ self.weight - self.height
        return torch.stack([-gap / 2, gap / 2], 1)


def subject_of(*models: nn.Module, count: int = 3, box: tuple[float, float] | None = (0.0, 1.0)) -> Subject:
    x = torch.rand(count, 4, generator=torch.Generator().manual_seed(2))
    y = models[0](x).argmax(1)
    data = Data(x=x, y=y, ids=torch.arange(count) + 40, classes=("low", "high"), box=box)
    known = tuple(SubjectModel(label=f"m{place}", digest=str(place), module=m) for place, m in enumerate(models))
    return Subject(data=data, models=known, seed=3)


def evaluate(subject: Subject, **values: object) -> Findings:
    evaluation, params = DECISION_REGIONS.load(), DecisionRegionsParams.parse(values)
    return evaluation.reduce(subject, rows_of(evaluation, subject, params, 2), params)


def test_axes_are_orthogonal_and_one_in_the_root_mean_square() -> None:
    subject = subject_of(Half(WEIGHT, 0.7))
    first, second = axes_of(subject.models[0], subject.data, 3)
    for axis in (first, second):
        assert torch.allclose(axis.square().mean(1), torch.ones(3), atol=1e-5)
    assert (first * second).sum(1).abs().max() < 1e-4
    assert torch.allclose(torch.nn.functional.cosine_similarity(first, WEIGHT).abs(), torch.ones(3))
    alone = axes_of(subject.models[0], subject.data.take(slice(1, 2)), 3)
    assert torch.allclose(alone[1], second[1:2], atol=1e-6)


def test_the_boundary_of_a_linear_model_lies_where_its_distance_says() -> None:
    """Along the gradient as far as |w x - b| / |w| is long, in 255ths and over the root of the dimension."""
    model = Half(WEIGHT, 0.7)
    subject = subject_of(model)
    findings = evaluate(subject, reach=400.0, points=401)
    exact = (subject.data.x @ WEIGHT - 0.7).abs() / WEIGHT.norm() / math.sqrt(4) * 255
    for row, wanted in zip(findings.tables["Distance to another label"].rows, exact.tolist(), strict=True):
        along, against, *aside, labels = row[3:]
        assert wanted <= along <= wanted + 2.01
        assert against is None
        assert aside == [None, None], "the model is blind to what is orthogonal to its weights"
        assert labels == 2
    assert findings.metrics["gradient_distance"] == pytest.approx(float(exact.mean()), abs=2.1)
    assert "random_distance" not in findings.metrics


def test_models_are_asked_on_one_plane() -> None:
    """A shifted copy agrees but for the strip between the two boundaries; an opposite model agrees nowhere."""
    findings = evaluate(subject_of(Half(WEIGHT, 0.7), Half(WEIGHT, 0.9), Half(-WEIGHT, -0.7)), reach=300.0, points=101)
    shares = {row[:2]: row[2] for row in findings.tables["Agreement"].rows}
    strip = 0.2 / float(WEIGHT.norm()) / 2 * 255 / 600
    assert shares["m0", "m1"] == pytest.approx(1 - strip, abs=0.02)
    assert shares["m0", "m2"] < 0.01
    assert findings.metrics["agreement"] == pytest.approx(sum(shares.values()) / 3)


def test_agreement_is_a_share_of_points() -> None:
    regions = torch.tensor([[[[0, 1], [1, 1]], [[0, 1], [0, 2]]]])
    assert agreements(regions) == {(0, 1): 0.5}


def test_the_source_gives_the_first_axis() -> None:
    crooked = Half(WEIGHT.flip(0), 0.7)
    subject = subject_of(Half(WEIGHT, 0.7), crooked)
    by_second = evaluate(subject, source=2, reach=2000.0, points=51)
    assert by_second.notes[0].startswith("The first axis is the gradient of the loss of m1")
    assert evaluate(subject, reach=2000.0, points=51).tables != by_second.tables


def test_mistakes_are_told() -> None:
    with pytest.raises(StageFailed, match="`source` is 2"):
        evaluate(subject_of(Half(WEIGHT, 0.7)), source=2)
    with pytest.raises(StageFailed, match="61 samples would be 61 planes"):
        evaluate(subject_of(Half(WEIGHT, 0.7), count=61))
    with pytest.raises(StageFailed, match="no gradient at a sample"):
        evaluate(subject_of(Half(torch.zeros(4), 0.7)))


def test_without_a_box_distances_are_in_the_datas_own_units() -> None:
    subject = subject_of(Half(WEIGHT, 0.7), box=None)
    exact = float(((subject.data.x @ WEIGHT - 0.7).abs() / WEIGHT.norm() / 2).mean())
    findings = evaluate(subject, reach=2.0, points=401)
    assert findings.metrics["gradient_distance"] == pytest.approx(exact, abs=0.011)
