"""Small models with known answers."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Classifier(nn.Module):
    """A small net with everything that an attack could disturb: batch norm, dropout, a frozen part."""

    def __init__(self, classes: int = 3, size: int = 12) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.3))
        self.head = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(2 * x.flatten(1) - 1))
        return out


@pytest.fixture
def classifier() -> nn.Module:
    torch.manual_seed(0)
    module = Classifier()
    module.train()
    for _ in range(3):
        module(torch.rand(32, 12))
    return module.eval()


@pytest.fixture
def samples(classifier: nn.Module) -> tuple[Tensor, Tensor]:
    """64 samples, a third of the numbers exactly 0 or 1, labelled as the model labels them."""
    torch.manual_seed(1)
    x = (torch.rand(64, 12) * 1.5 - 0.25).clamp(0, 1)
    with torch.no_grad():
        return x, classifier(x).argmax(1)
