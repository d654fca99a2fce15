"""Distances between samples, against closed forms."""

import math

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.evaluation.features import features
from advorch.kit.evaluation.fidelity import frechet, kernel, manifold
from advorch.kit.evaluation.neighbours import memory, nearest
from advorch.kit.evaluation.transport import exact, plan, sliced


def normal(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("power", [1, 2])
def test_the_distance_of_a_shift_is_its_length(power: int) -> None:
    x = normal(60, 2)
    assert exact(x, x + torch.tensor([3.0, 4.0]), power) == pytest.approx(5, rel=1e-6)
    assert exact(x, x.flip(0), power) == pytest.approx(0, abs=1e-6)
    assert exact(1e6 * x, 1e6 * x + 5e6, power) == pytest.approx(5e6 * math.sqrt(2), rel=1e-6)


def test_the_orders_differ_where_mass_is_split() -> None:
    here, split = torch.zeros(2, 1), torch.tensor([[0.0], [2.0]])
    assert exact(here, split, 1) == pytest.approx(1)
    assert exact(here, split, 2) == pytest.approx(math.sqrt(2))


def test_distances_keep_the_axioms_of_a_metric() -> None:
    one, two, three = (normal(40, 2, seed) * (seed + 1) for seed in range(3))
    assert exact(one, two) == pytest.approx(exact(two, one), rel=1e-9)
    assert exact(one, three) <= exact(one, two) + exact(two, three) + 1e-9


def test_sliced_is_the_length_over_the_root_of_the_dimension() -> None:
    x = normal(50, 4)
    shift = torch.tensor([2.0, 0, 0, 0])
    assert sliced(x, x + shift, projections=4000) == pytest.approx(1.0, rel=0.05)
    assert sliced(x, x, projections=20) == pytest.approx(0, abs=1e-9)


def test_the_plan_moves_each_to_its_shifted_self() -> None:
    x = normal(30, 2)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    assert torch.equal(order[plan(x, (x + 0.01)[order])], torch.arange(30))


def test_frechet_of_a_shift_is_its_square_and_of_a_scale_that_of_deviations() -> None:
    x = normal(500, 3)
    assert frechet(x, x) == pytest.approx(0, abs=1e-8)
    assert frechet(x, x + torch.tensor([1.0, 2.0, 2.0])) == pytest.approx(9, rel=1e-6)
    white = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov()).T)
    assert frechet(white, 3 * white) == pytest.approx(3 * 4, rel=1e-6)


def test_the_kernel_distance_is_unbiased_and_grows_with_a_shift() -> None:
    same = [kernel(normal(50, 4, 2 * seed), normal(50, 4, 2 * seed + 1)) for seed in range(40)]
    mean, deviation = torch.tensor(same).mean(), torch.tensor(same).std()
    assert abs(float(mean)) < 3 * float(deviation) / math.sqrt(40)
    assert min(same) < 0 < max(same)
    assert kernel(normal(200, 4), normal(200, 4, 1) + 1) > 10 * float(deviation)


def test_a_set_covers_itself_and_nothing_far_away() -> None:
    x = normal(200, 2)
    own = manifold(x, x)
    assert (own.precision, own.recall, own.coverage) == (1, 1, 1)
    assert own.density == pytest.approx(1)
    away = manifold(x, x + 100)
    assert (away.precision, away.recall, away.density, away.coverage) == (0, 0, 0, 0)


def test_a_collapsed_set_is_precise_and_covers_nothing() -> None:
    found = manifold(normal(300, 2), 0.01 * normal(300, 2, 1))
    assert found.precision == 1
    assert found.recall < 0.05
    assert found.coverage < 0.1


def test_neighbours_come_from_near_to_far() -> None:
    line = torch.arange(10.0)[:, None]
    found = nearest(torch.tensor([[2.2]]), line, 3)
    assert found.place.tolist() == [[2, 3, 1]]
    torch.testing.assert_close(found.distance, torch.tensor([[0.2, 0.8, 1.2]]), atol=1e-5, rtol=0)
    assert nearest(line, line[:2], 5).place.shape == (10, 2)


def test_copies_are_remembered_and_new_samples_are_not() -> None:
    train, fresh, drawn = normal(400, 3), normal(300, 3, 1), normal(300, 3, 2)
    to_train = nearest(fresh, train).distance[:, 0]
    copied = memory(nearest(train[:100], train).distance[:, 0], to_train)
    assert copied.ratio == pytest.approx(0, abs=1e-6)
    assert copied.share == 1
    honest = memory(nearest(drawn, train).distance[:, 0], to_train)
    assert honest.ratio == pytest.approx(1, abs=0.15)
    assert honest.share < 0.05


def test_features_are_what_the_last_linear_layer_is_given() -> None:
    trunk = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU())
    model = nn.Sequential(trunk, nn.Linear(4, 2)).eval()
    x = torch.rand(10, 2, 3)
    torch.testing.assert_close(features(model, x, batch=3), trunk(x).detach())
    torch.testing.assert_close(features(nn.Flatten(), x), x.flatten(1))


@pytest.mark.parametrize(("size", "rate"), [(1, 1 / 2), (3, 1 / 3), (5, 1 / 5)])
def test_what_sampling_costs_falls_with_the_dimension_s_root(size: int, rate: float) -> None:
    """W1 of two samples of one measure is of the order n^(-1/d), and n^(-1/2) on a line (Dudley 1969)."""
    rng = torch.Generator().manual_seed(0)
    counts = torch.tensor([50.0, 100.0, 200.0, 400.0], dtype=torch.float64)
    distances = [
        sum(exact(torch.rand(int(n), size, generator=rng), torch.rand(int(n), size, generator=rng)) for _ in range(6))
        for n in counts
    ]
    x, y = counts.log(), torch.tensor(distances, dtype=torch.float64).log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    assert float(slope) == pytest.approx(-rate, abs=0.08)
