"""Bounds on the slope of networks, against matrices written out."""

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.evaluation.lipschitz import Unbounded, bound, by_layer, operator_norm, slopes


def seeded(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers).eval()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def written_out(layer: nn.Module, x: Tensor) -> Tensor:
    found: Tensor = torch.func.jacrev(layer)(x)
    return found.reshape(layer(x).numel(), x.numel())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 5, 3, padding=1),
        nn.Conv2d(3, 2, 3, stride=2),
        nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1),
        nn.AvgPool2d(3, stride=1),
        nn.Conv2d(3, 8, 5, padding=2),
    ],
)
def test_a_convolution_counts_as_the_operator_that_it_is(layer: nn.Module) -> None:
    channels = getattr(layer, "in_channels", 2)
    x = torch.zeros(1, channels, 7, 7)
    exact = float(torch.linalg.matrix_norm(written_out(layer, x).double(), 2).detach())
    assert operator_norm(layer, x) == pytest.approx(exact, rel=1e-5)


def test_a_large_convolution_is_not_written_out() -> None:
    layer = nn.Conv2d(4, 4, 3, padding=1)
    exact = float(torch.linalg.matrix_norm(written_out(layer, torch.zeros(1, 4, 14, 14)).double(), 2).detach())
    assert operator_norm(layer, torch.zeros(1, 4, 14, 14)) == pytest.approx(exact, rel=1e-5)


def test_the_kernel_laid_flat_is_no_bound() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(layer.weight)
    flat = float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2).detach())
    assert flat == pytest.approx(3)
    assert operator_norm(layer, torch.zeros(1, 1, 32, 32)) > 2.9 * flat


def test_no_pair_of_points_rises_faster_than_the_bound() -> None:
    net = seeded(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.1), nn.MaxPool2d(3, stride=2), nn.Flatten(),
        nn.Linear(4 * 9, 5), nn.GELU(), nn.Linear(5, 3),
    )  # fmt: skip
    limit = bound(net, (1, 8, 8))
    a, b = torch.rand(10_000, 1, 8, 8), torch.rand(10_000, 1, 8, 8)
    with torch.no_grad():
        rise = (net(a) - net(b)).norm(dim=1) / (a - b).flatten(1).norm(dim=1)
    assert float(rise.max()) <= limit
    assert float(slopes(net, a[:50]).max()) <= limit + 1e-6


def test_a_linear_chain_is_as_steep_as_its_product_where_directions_agree() -> None:
    net = seeded(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.diag(torch.tensor([2.0, 1.0, 1.0])))
        net[1].weight.copy_(torch.diag(torch.tensor([3.0, 1.0, 1.0])))
    assert bound(net, (3,)) == pytest.approx(6)
    torch.testing.assert_close(slopes(net, torch.rand(4, 3)), torch.full((4,), 6.0))
    assert [name for name, _ in by_layer(net, (3,))] == ["0", "1"]


def test_what_is_not_known_has_no_bound() -> None:
    with pytest.raises(Unbounded, match="LayerNorm"):
        bound(seeded(nn.LayerNorm(3)), (3,))
