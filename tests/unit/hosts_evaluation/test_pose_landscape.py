from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_measured import LANDSCAPE, PoseLandscapeParams
from advorch_builtins.evaluations.pose_landscape import PoseLandscape

SIDE = 13


class Balance(nn.Module):
    """Class 0 where the picture's mass is right of the middle."""

    def forward(self, x: Tensor) -> Tensor:
        columns = torch.arange(SIDE, dtype=x.dtype) - SIDE // 2
        moment = (x.sum((1, 2)) * columns).sum(1, keepdim=True)
        return torch.cat([moment, -moment], 1)


class Deaf(nn.Module):
    """Hears nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return 0 * x.flatten(1)[:, :2]


def spot(right: int) -> Tensor:
    """One bright pixel, so many right of the middle."""
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[0, 0, SIDE // 2, SIDE // 2 + right] = 1
    return image


def data_of(*spots: int) -> Data:
    x = torch.cat([spot(right) for right in spots])
    y = torch.zeros(len(x), dtype=torch.int64)
    return Data(x=x, y=y, ids=torch.arange(len(x)) + 5, classes=("right", "left"), box=(0.0, 1.0))


def look(module: nn.Module, data: Data, **params: Any) -> tuple[dict[str, Tensor], Findings]:
    torch.set_num_threads(1)
    subject = Subject(data=data, models=(SubjectModel(label="m", digest="m", module=module),))
    settings = PoseLandscapeParams.parse({"shift": 3 / SIDE, "angles": 9, "places": 7, **params})
    seen = dict(PoseLandscape().map(subject, data, settings))
    return seen, PoseLandscape().reduce(subject, seen, settings)


def test_a_spot_two_right_of_the_middle_is_lost_three_pixels_to_the_left() -> None:
    seen, _ = look(Balance(), data_of(2))
    flat = seen["fooled/0"][0, 4]
    for across, place in zip(range(-3, 4), flat, strict=True):
        assert place.tolist() == [across < -2] * 7, "at no angle, whatever the shift down"
    turned = seen["loss/0"][0, :, 1, 3]
    assert torch.allclose(turned, turned.flip(0), atol=1e-5), "turning either way is the same"


def test_the_middle_of_the_grid_is_the_untouched_picture() -> None:
    data = data_of(2, 1)
    seen, findings = look(Balance(), data)
    clean = nn.functional.cross_entropy(Balance()(data.x), data.y, reduction="none")
    assert torch.allclose(seen["loss/0"][:, 4, 3, 3], clean, atol=1e-5)
    samples = findings.tables["Samples"]
    assert samples.column("loss") == pytest.approx(clean.tolist(), abs=1e-5)
    assert samples.column("right") == pytest.approx([-3, -3])
    assert samples.column("sample") == (5, 6)


def test_a_landscape_without_hills_has_no_maxima() -> None:
    _, findings = look(Deaf(), data_of(2, 1))
    assert findings.metrics == {"fooled": 0.0, "fooling_poses": 0.0, "maxima": 0.0}


def test_maxima_are_counted_and_those_that_fool_nobody_are_told_apart() -> None:
    class TwoHills(nn.Module):
        """The label is lost where the spot is at the far left; at the far right the loss has a lower hill."""

        def forward(self, x: Tensor) -> Tensor:
            columns = torch.arange(SIDE, dtype=x.dtype) - SIDE // 2
            where = (x.sum((1, 2)) * columns).sum(1)
            lead = torch.where(where < 0, 3 + 2 * where, 3 - 0.5 * where)
            return torch.stack([lead, torch.zeros_like(lead)], 1)

    _, findings = look(TwoHills(), data_of(0), angles=3, degrees=1e-6, places=7)
    assert findings.metrics.keys() == LANDSCAPE
    assert findings.metrics["fooled"] == 1.0
    assert findings.metrics["fooling_poses"] == pytest.approx(2 / 7)
    assert findings.metrics["trapped"] == pytest.approx(0.5), "one side of the grid fools, the other does not"
    assert set(findings.pictures()) == {"Landscape: m"}


def test_a_grid_has_a_middle() -> None:
    with pytest.raises(ValidationError, match="must be odd"):
        PoseLandscapeParams.parse({"angles": 10})
