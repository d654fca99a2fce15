"""A step in double precision with every attack of the kit at hand."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from advorch.components import AnyComponent
from advorch.kit.training.attacks import NamedAttacks
from advorch.kit.training.step import Step
from advorch.seeds import Seeds
from advorch_builtins.attacks import catalog as attacks

StepOf = Callable[..., Step]


def lookup(component: str) -> AnyComponent:
    return next(item for item in attacks.advorch_components() if item.id == component)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def net() -> nn.Module:
    """Smooth, with batch norm and dropout, so that modes and statistics matter."""
    torch.manual_seed(5)
    layers = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 4)
    return nn.Sequential(*layers).double()


@pytest.fixture
def smooth() -> nn.Module:
    torch.manual_seed(6)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double()


@pytest.fixture
def step_of() -> StepOf:
    def make(model: nn.Module, count: int = 16, **changes: Any) -> Step:
        generator = torch.Generator().manual_seed(1)
        x = torch.rand(count, 6, generator=generator, dtype=torch.float64)
        y = torch.randint(0, 4, (count,), generator=generator)
        given = {
            "model": model, "x": x, "y": y, "ids": torch.arange(count), "unlabelled": None, "epoch": 1, "index": 0,
            "progress": 0.0, "seeds": Seeds(3), "attacks": NamedAttacks(lookup, (0.0, 1.0)), "box": (0.0, 1.0),
        }  # fmt: skip
        return Step(**{**given, **changes})

    return make
