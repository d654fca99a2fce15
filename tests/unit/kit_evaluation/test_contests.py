"""Trained opponents, against distributions whose divergence and distance are known."""

import math

import pytest
import torch
from torch import Tensor

from advorch.kit.evaluation.contests import LOG4, Training, critic_gap, discriminate, two_layer_gap
from advorch.kit.evaluation.transport import exact

FEW = Training(steps=600, batch=1024)


def line(count: int, shift: float, seed: int) -> Tensor:
    return torch.randn(count, 1, generator=torch.Generator().manual_seed(seed)) + shift


def divergence(shift: float) -> float:
    """Jensen and Shannon's of N(0, 1) and N(shift, 1), by the trapezoidal rule."""
    x = torch.linspace(-12, 12 + shift, 40_001, dtype=torch.float64)
    p, q = (torch.exp(-((x - at) ** 2) / 2) / math.sqrt(2 * math.pi) for at in (0.0, shift))
    middle = (p + q) / 2
    each = [torch.trapezoid(torch.special.xlogy(part, part / middle), x) for part in (p, q)]
    return float(sum(each)) / 2


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_value_of_the_best_discriminator_is_twice_the_divergence_less_log_four(shift: float) -> None:
    found = discriminate(line(40_000, 0, 1), line(40_000, shift, 2), FEW)
    wanted = 2 * divergence(shift) - LOG4
    assert found.value == pytest.approx(wanted, abs=0.012)
    assert found.value <= wanted + 3 * found.error
    assert 0 <= found.divergence <= math.log(2)
    if shift == 0:
        assert found.value == pytest.approx(-1.3863, abs=0.003)
        assert found.divergence <= 0.005


def test_the_discriminator_is_that_of_the_densities() -> None:
    found = discriminate(line(40_000, 0, 1), line(40_000, 1, 2), FEW)
    x = torch.linspace(-1, 2, 50)[:, None]
    with torch.no_grad():
        learnt = torch.sigmoid(found.network(x))
    torch.testing.assert_close(learnt, torch.sigmoid(0.5 - x[:, 0]), atol=0.03, rtol=0)


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_a_normalised_critic_finds_the_distance_and_never_more(shift: float) -> None:
    found = critic_gap(line(4000, shift, 1), line(4000, 0, 2), FEW)
    assert found.unseen == pytest.approx(shift, rel=0.1)
    assert found.bound == pytest.approx(1, abs=0.02)
    assert found.least <= exact(found.judged.first[:2000], found.judged.second[:2000]) + 1e-6


def test_the_distance_of_two_layers_between_points_is_a_unit_vector_s() -> None:
    """f(a) = u relu(V a) from 0 to a point a rises by |a| at most, where V maps a onto u."""
    point = torch.tensor([[3.0, 4.0]]).repeat(64, 1)
    found = two_layer_gap(point, torch.zeros_like(point), Training(hidden=(16,), steps=400, batch=32, lr=0.02))
    assert found.unseen == pytest.approx(5.0, rel=0.01)
    assert found.bound <= 1 + 1e-6


def test_equal_sets_are_not_told_apart() -> None:
    found = two_layer_gap(line(4000, 0, 1), line(4000, 0, 2), Training(hidden=(16,), steps=200, batch=256))
    assert found.unseen == pytest.approx(0, abs=0.05)
    assert found.unseen <= found.trained
