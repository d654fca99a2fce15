import math

import pytest
import torch

from advorch_builtins.datasets.catalog_mixtures import GridParams, SwissRollParams
from advorch_builtins.datasets.grid import load as grid
from advorch_builtins.datasets.swiss_roll import load as swiss_roll


def test_a_grid_has_as_many_distinct_modes_as_it_says() -> None:
    data = grid(GridParams(n=2500), "train")
    centres = torch.stack([data.x[data.y == mode].mean(dim=0) for mode in range(25)])
    assert torch.unique((centres / 2).round(), dim=0).shape == (25, 2)
    torch.testing.assert_close(centres, 2 * (centres / 2).round(), atol=0.03, rtol=0)
    assert float(centres.mean().abs()) < 0.01
    spread = torch.cat([data.x[data.y == mode] - centres[mode] for mode in range(25)]).std()
    assert float(spread) == pytest.approx(0.05, rel=0.05)


def test_a_swiss_roll_lies_on_its_spiral() -> None:
    data = swiss_roll(SwissRollParams(n=4000, noise=0.0), "train")
    radius = 7.5 * data.x.norm(dim=1)
    turned = torch.atan2(data.x[:, 1], data.x[:, 0])
    torch.testing.assert_close(
        (radius - turned) % (2 * math.pi) % (2 * math.pi - 1e-3), torch.zeros(4000), atol=2e-3, rtol=0
    )
    assert radius.min() >= 1.5 * math.pi - 1e-3
    assert radius.max() <= 4.5 * math.pi + 1e-3
    means = [float(radius[data.y == stretch].mean()) for stretch in range(10)]
    assert means == sorted(means)


@pytest.mark.parametrize(("load", "params"), [(grid, GridParams()), (swiss_roll, SwissRollParams())], ids=str)
def test_splits_are_repeatable_and_differ(load: "object", params: GridParams | SwissRollParams) -> None:
    assert torch.equal(load(params, "test").x, load(params, "test").x)
    assert len(load(params, "test")) == 2000
    assert not torch.equal(load(params, "test").x, load(params, "train").x[:2000])
