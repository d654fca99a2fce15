"""A linear model, whose robustness has a closed form, and a small trained net."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

SIZE = 6


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def label(x: Tensor) -> Tensor:
    """A ring and its inside in the first two dimensions, and which side the third is on."""
    radius = (x[:, :2] - 0.5).norm(dim=1)
    return (radius > 0.35).long() + (x[:, 2] > 0.5).long()


@pytest.fixture(scope="session")
def trained() -> nn.Module:
    """A net that has learned a curved border between three classes."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = nn.Sequential(nn.Linear(SIZE, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))
        optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
        for _ in range(250):
            x = torch.rand(256, SIZE)
            loss = nn.functional.cross_entropy(module(x), label(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module.zero_grad()
    return module.eval()


@pytest.fixture(scope="session")
def held_out() -> tuple[Tensor, Tensor]:
    """Samples of the same law, a fifth of their numbers exactly zero or one."""
    generator = torch.Generator().manual_seed(5)
    x = (torch.rand(128, SIZE, generator=generator) * 1.25 - 0.125).clamp(0, 1)
    return x, label(x)
