"""The record of smoothness: what it says, and that training goes on as if it were not there."""

from typing import Any

import pytest
import torch
from torch import nn

from advorch.kit.training.parts import Parts
from advorch_builtins.parts.catalog_smoothness import LdsParams
from advorch_builtins.parts.lds import lds


def test_training_is_the_same_with_and_without_it(workshop: Any) -> None:
    def net() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.2), nn.Linear(5, 2)).double()

    watched = workshop.trainer(lds, LdsParams(), net(), batch=8)
    alone = workshop.trainer(lambda site, params: Parts(), LdsParams(), net(), batch=8)
    logged, bare = watched.epoch(1), alone.epoch(1)
    assert logged.pop("lds") < 0
    assert logged == bare
    assert all(
        torch.equal(one, other)
        for one, other in zip(watched.model.state_dict().values(), alone.model.state_dict().values(), strict=True)
    )


def test_a_model_that_says_one_thing_is_perfectly_smooth_and_a_longer_step_finds_more(workshop: Any) -> None:
    flat = workshop.smooth()
    nn.init.zeros_(flat[-1].weight)
    assert workshop.trainer(lds, LdsParams(), flat).epoch(1)["lds"] == pytest.approx(0, abs=1e-12)
    near, far = (workshop.trainer(lds, LdsParams(epsilon=size)).epoch(1)["lds"] for size in (0.1, 0.2))
    assert far / near == pytest.approx(4, rel=0.2)  # in second order
