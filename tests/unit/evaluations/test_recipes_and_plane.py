"""Recipes over draws, and what models say on the plane of the data."""

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.evaluations import rows_of
from advorch_builtins.datasets import moons
from advorch_builtins.datasets.catalog import MoonsParams
from advorch_builtins.datasets.plane import plane as laid
from advorch_builtins.evaluations.catalog_smoothness import PlaneParams, RecipesParams
from advorch_builtins.evaluations.plane import Plane, frame_of, grid_of, probabilities
from advorch_builtins.evaluations.recipes import Recipes


class Threshold(nn.Module):
    """The second class from a value of the first number on; `scale` is how steep its logit is."""

    def __init__(self, at: float, scale: float = 1.0) -> None:
        super().__init__()
        self.at, self.scale = at, scale

    def forward(self, x: Tensor) -> Tensor:
        logit = self.scale * (x.flatten(1)[:, 0] - self.at)
        return torch.stack([torch.zeros_like(logit), logit], 1)


def line(count: int = 20) -> Data:
    """Half of each class, apart at zero."""
    x = torch.stack([torch.linspace(-1, 1, count), torch.zeros(count)], 1)
    return Data(x=x, y=(x[:, 0] > 0).long(), ids=torch.arange(count), classes=("left", "right"))


def models(*modules: nn.Module, history: tuple[dict[str, float], ...] = ()) -> tuple[SubjectModel, ...]:
    return tuple(
        SubjectModel(label=f"m{place}", digest=f"{place:064d}", module=module.eval(), history=history)
        for place, module in enumerate(modules)
    )


def recipes(subject: Subject, **values: object) -> Findings:
    params = RecipesParams.parse(values)
    return Recipes().reduce(subject, rows_of(Recipes(), subject, params, 7), params)


def shifted(*places: float) -> list[nn.Module]:
    return [Threshold(place) for place in places]


def test_errors_are_means_over_draws_and_differences_are_taken_within_them() -> None:
    good, bad = (0.0, 0.31, 0.0), (0.51, 0.31, 0.71)
    found = recipes(Subject(data=line(), models=models(*shifted(*good, *bad))), names=["good", "bad"])
    table, paired = found.tables["Recipes"], found.tables["Within draws"]
    assert table.column("error") == pytest.approx((0.15 / 3, (0.25 + 0.15 + 0.35) / 3))
    assert table.column("median") == pytest.approx((0.0, 0.25))
    row = dict(zip(paired.columns, paired.rows[0], strict=True))
    assert (row["recipe"], row["against"], row["better in"], row["worse in"]) == ("bad", "good", 0, 2)
    assert row["difference"] == pytest.approx((0.25 + 0.35) / 3)
    assert row["low"] < row["difference"] < row["high"]
    assert found.metrics == pytest.approx({"good.error": 0.05, "bad.error": 0.25})


def test_smoothness_is_zero_for_who_says_one_thing_and_falls_with_the_slope() -> None:
    flat, gentle, steep = Threshold(0.0, 0.0), Threshold(0.0, 1.0), Threshold(0.0, 4.0)
    found = recipes(
        Subject(data=line(), models=models(flat, gentle, steep)), names=["flat", "gentle", "steep"], epsilon=0.5
    )
    none, little, much = found.tables["Recipes"].column("lds")
    assert none == pytest.approx(0, abs=1e-6)
    assert much < little < -1e-3  # type: ignore[operator]
    assert "Within draws" not in found.tables


def test_curves_are_means_of_what_was_recorded() -> None:
    history = ({"lds": -1.0}, {"lds": -0.5})
    found = recipes(
        Subject(data=line(), models=models(*shifted(0.0, 0.1), history=history)), names=["a"], curves=["lds"]
    )
    assert set(found.figures) == {"Error of every draw", "LDS by epoch"}
    assert recipes(Subject(data=line(), models=models(Threshold(0.0))), curves=["lds"]).figures == {}


def test_models_that_are_no_equal_parts_are_refused() -> None:
    with pytest.raises(StageFailed, match="3 models are no equal parts for 2 names"):
        recipes(Subject(data=line(), models=models(*shifted(0, 0, 0))), names=["a", "b"])


def test_the_plane_of_embedded_points_is_the_one_they_were_laid_on() -> None:
    data = moons.load(MoonsParams(n=60, dimensions=30, seed=4), "train")
    frame = frame_of(data)
    assert frame.inside == pytest.approx(1.0, abs=1e-6)
    assert torch.allclose(frame.axes @ frame.axes.T, torch.eye(2, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(frame.lifted(frame.flat(data.x), data.x), data.x, atol=1e-5)
    assert laid(30, 1).shape == (2, 30)


def test_the_grid_holds_each_probability_at_its_place() -> None:
    data = line()
    frame = frame_of(data)
    across, up = grid_of(torch.tensor([[-1.0, -2.0], [1.0, 2.0]]), 5, 0.5)
    assert across.tolist() == [-2, -1, 0, 1, 2]
    assert up.tolist() == [-4, -2, 0, 2, 4]
    values = probabilities(Threshold(0.0), frame, across, up, data.x[:1], 1)
    assert values.shape == (5, 5)
    assert torch.allclose(values, across.sigmoid().expand(5, -1), atol=1e-6)


def test_a_picture_of_every_model_with_its_error() -> None:
    data = line()
    params = PlaneParams(names=("whole", "half"), points=9)
    subject = Subject(data=data, models=models(*shifted(0.0, 0.51)), datasets={"train": data.take(slice(0, 4))})
    found = Plane().reduce(subject, rows_of(Plane(), subject, params, 20), params)
    assert found.tables["Errors"].column("error") == pytest.approx((0.0, 0.25))
    assert found.pictures()["Probability on the plane"].startswith(b"\x89PNG")


def test_a_class_that_is_not_there_is_refused() -> None:
    params = PlaneParams(label=2)
    with pytest.raises(StageFailed, match="`label` is 2, and there are 2 classes"):
        rows_of(Plane(), Subject(data=line(), models=models(Threshold(0.0))), params, 20)
