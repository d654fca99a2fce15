import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.errors import AccessDenied
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.restart_figures import _edges
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.fakes import LinearModel, small_mlp
from advorch.threat import Access
from advorch_builtins.evaluations.catalog_measured import RESTARTED, RestartsParams
from advorch_builtins.evaluations.restarts import Restarts

FEATURES = 6


class Valley(nn.Module):
    """Class 0 at the bottom of a valley, and two hills of the same height, one on either side."""

    def __init__(self, away: Tensor) -> None:
        super().__init__()
        self.register_buffer("away", away)

    def forward(self, x: Tensor) -> Tensor:
        height = ((x - 0.5).flatten(1) @ self.away).abs()
        return torch.stack([torch.zeros_like(height), 4 * height], 1)


def middle(count: int = 2) -> Data:
    x = torch.full((count, FEATURES), 0.5)
    y = torch.zeros(count, dtype=torch.int64)
    return Data(x=x, y=y, ids=torch.arange(count) + 3, classes=("a", "b"), box=(0.0, 1.0))


def climb(module: nn.Module, data: Data, **params: Any) -> tuple[dict[str, Tensor], Findings]:
    torch.set_num_threads(1)
    subject = Subject(data=data, models=(SubjectModel(label="m", digest="m", module=module),), seed=1)
    given = {"epsilon": 0.1, "steps": 60, "restarts": 16, "maxima": 6, "curves": 4, **params}
    settings = RestartsParams.parse(given)
    rows = dict(Restarts().map(subject, data, settings))
    return rows, Restarts().reduce(subject, rows, settings)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_all_ascents_end_at_the_one_maximum(norm: str) -> None:
    module, data = LinearModel(FEATURES, 2), middle()
    rows, findings = climb(module, data, norm=norm, steps=200)
    slope = module.weight[1] - module.weight[0]
    reach = 0.1 * (slope.sign() if norm == "linf" else slope / slope.norm())
    highest = nn.functional.cross_entropy(module(data.x + reach), data.y, reduction="none").double()
    assert torch.allclose(rows["loss/0"], highest[:, None].expand(-1, 16), rtol=2e-3)
    metrics = findings.metrics
    assert metrics.keys() == RESTARTED
    assert metrics["loss_deviation"] < 2e-3
    assert (metrics["distinct"], metrics["plateau"]) == (0.0, 1.0)
    assert metrics["angle"] < 10
    assert metrics["distance"] < 0.2


def test_two_hills_are_two_maxima_with_a_valley_between_them() -> None:
    torch.manual_seed(0)
    rows, findings = climb(Valley(torch.rand(FEATURES) + 0.5), middle(1), maxima=16, steps=200)
    angle = rows["angle/0"][0]
    apart = angle > 90
    assert 0 < int(apart.sum()) < len(angle), "some ascents end on one side and some on the other"
    assert (angle[apart] > 170).all()
    assert (angle[~apart] < 10).all()
    distance = rows["distance/0"][0]
    assert torch.allclose(distance[apart], torch.tensor(2.0, dtype=torch.float64), atol=0.02)
    dips = rows["segment/0"][0].amin(-1) < 0.95 * rows["segment/0"][0][:, [0, -1]].amin(-1)
    assert torch.equal(dips, apart)
    assert findings.metrics["distinct"] == pytest.approx(float(apart.double().mean()))


def test_an_ascent_depends_on_its_number_and_its_sample_alone() -> None:
    module, data = small_mlp(FEATURES, 2).double(), middle(2)
    data = Data(x=data.x.double(), y=data.y, ids=data.ids, classes=data.classes, box=data.box)
    many, _ = climb(module, data, restarts=16, batch=5)
    few, _ = climb(module, data, restarts=7, batch=7)
    assert torch.allclose(many["loss/0"][:, :7], few["loss/0"])
    assert not torch.allclose(many["curve/0"][0, :, 0], many["curve/0"][1, :, 0]), (
        "samples begin at places of their own"
    )


def test_a_curve_ends_where_its_ascent_stands_still() -> None:
    rows, _ = climb(LinearModel(FEATURES, 2), middle(1), steps=100, patience=4, curves=16)
    stopped = rows["stopped/0"][0]
    assert (stopped < 60).all()
    for curve, end in zip(rows["curve/0"][0], stopped.tolist(), strict=True):
        assert (curve[end:] == curve[end]).all()
    assert torch.allclose(rows["curve/0"][0].amax(1), rows["loss/0"][0])


def test_points_stay_in_the_box() -> None:
    class Watched(LinearModel):
        lowest, highest = 1.0, 0.0

        def forward(self, x: Tensor) -> Tensor:
            low, high = x.detach().aminmax()
            self.lowest, self.highest = min(self.lowest, float(low)), max(self.highest, float(high))
            return super().forward(x)

    module, data = Watched(FEATURES, 2), middle(1)
    edge = Data(x=torch.ones(1, FEATURES), y=data.y, ids=data.ids, classes=data.classes, box=(0.0, 1.0))
    climb(module, edge, epsilon=0.3)
    assert module.lowest >= 0.7 - 1e-6
    assert module.highest <= 1.0


def test_the_figures_are_three() -> None:
    _, findings = climb(small_mlp(FEATURES, 2), middle(2), steps=5)
    assert list(findings.figures) == ["Loss curves", "Final losses", "Between maxima"]
    assert findings.pictures() == findings.pictures()


def test_no_final_loss_falls_out_of_the_histogram() -> None:
    """The logarithm of a number and back is another number, half of the time."""
    for values in torch.rand(200, 2, dtype=torch.float64) * torch.tensor([0.1, 10.0]) + 1e-3:
        edges, _ = _edges(values)
        assert (edges[0], edges[-1]) == (float(values.min()), float(values.max()))
        assert all(low < high for low, high in itertools.pairwise(edges))


def test_a_model_that_gives_no_gradients_gives_none_here() -> None:
    model = SubjectModel(label="m", digest="m", module=LinearModel(FEATURES, 2), access=Access.SCORES)
    settings = RestartsParams.parse({"restarts": 2, "steps": 2})
    with pytest.raises(AccessDenied):
        Restarts().map(Subject(data=middle(), models=(model,)), middle(), settings)
