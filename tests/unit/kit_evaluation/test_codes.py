"""What is said of codes, on codes whose law is known."""

import pytest
import torch
from torch import Tensor

from advorch.kit.evaluation.codes import energy, nearest_class, probe, same_law


def normal(count: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed)) + shift


def test_the_energy_distance_is_that_of_its_three_means() -> None:
    one, two = normal(50, 0), normal(70, 1, 1.0)
    wanted = 2 * torch.cdist(one, two).mean() - torch.cdist(one, one).mean() - torch.cdist(two, two).mean()
    assert energy(one, two) == pytest.approx(float(wanted), rel=1e-5)


def test_the_test_holds_its_level_and_finds_a_shift() -> None:
    alike = [same_law(normal(80, 2 * seed), normal(80, 2 * seed + 1), draws=50) for seed in range(40)]
    assert sum(value <= 0.1 for value in alike) <= 10
    assert same_law(normal(300, 0), normal(300, 1, 0.5)) <= 0.01


def test_what_can_be_read_off_codes_is_the_class_or_chance() -> None:
    y = torch.arange(400) % 2
    apart = normal(400, 0) + 8 * y[:, None]
    assert probe(apart, y) == 1
    assert nearest_class(apart, y) == 1
    assert probe(normal(400, 1), y) == pytest.approx(0.5, abs=0.12)
    assert nearest_class(normal(400, 1), y) == pytest.approx(0.5, abs=0.12)
    assert probe(apart, torch.zeros(400, dtype=torch.int64)) == 1
