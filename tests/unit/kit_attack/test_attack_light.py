"""Weights in bfloat16 from the start."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from advorch.kit.attack.light import Light

COMPUTED: list[Callable[[nn.Module], nn.Module]] = [parametrizations.weight_norm, parametrizations.orthogonal]


def test_it_is_the_module_and_under_autocast_what_autocast_makes_of_it() -> None:
    module, x = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)).eval(), torch.rand(4, 6)
    light = Light(module)
    assert torch.equal(light(x), module(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert light(x).dtype == torch.bfloat16
        assert torch.equal(light(x), module(x))


@pytest.mark.parametrize("computed", COMPUTED)
def test_a_weight_that_is_computed_from_others_is_left_alone(computed: Callable[[nn.Module], nn.Module]) -> None:
    module, x = nn.Sequential(computed(nn.Linear(6, 6)), nn.ReLU(), nn.Linear(6, 3)).eval(), torch.rand(4, 6)
    before = copy.deepcopy(module.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Light(module)(x), module(x))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
