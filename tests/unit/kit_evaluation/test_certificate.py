"""Certified radii: the closed form of a linear model, how far draws can certify, how often a certificate is wrong."""

import math

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.evaluation.certificate import certified_radius, certify, largest_radius, lower_bound, votes

SIGMA = 0.5


class Plane(nn.Module):
    """Class 1 above a plane, class 0 below it; remembers what it saw."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.body = nn.Linear(3, 2, bias=False, dtype=dtype)
        self.body.weight.data = torch.tensor([[-1.0, -2.0, 2.0], [1.0, 2.0, -2.0]], dtype=dtype)
        self.seen: list[Tensor] = []
        self.said: list[torch.dtype] = []

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.body(x)
        self.seen.append(x)
        self.said.append(logits.dtype)
        return logits


def at(distances: Tensor) -> Tensor:
    """Points so far above the plane."""
    return distances[:, None] * torch.tensor([1.0, 2.0, -2.0], dtype=torch.float64) / 3


def draws(count: int) -> Draws:
    return Draws(7, torch.arange(count) * 5 + 2)


def found(distances: Tensor, n: int, alpha: float) -> tuple[Tensor, Tensor]:
    x = at(distances)
    guess, agreed = certify(Plane(), x, draws(len(x)), sigma=SIGMA, n0=50, n=n, batch=1000)
    return guess, certified_radius(agreed, n, alpha, SIGMA)


def test_the_radius_of_a_linear_model_is_its_distance() -> None:
    distances = torch.tensor([0.1, 0.25, 0.5, 0.75, -0.5], dtype=torch.float64)
    guess, radius = found(distances, 10_000, 0.001)
    assert guess.tolist() == [1, 1, 1, 1, 0]
    assert bool((radius <= distances.abs()).all()), "the bound is from below"
    assert torch.allclose(radius, distances.abs(), atol=0.06)  # three deviations of 10,000 draws below


def test_it_abstains_where_two_classes_are_level() -> None:
    _, radius = found(torch.zeros(5, dtype=torch.float64), 500, 0.001)
    assert bool(radius.isnan().all())


@pytest.mark.parametrize(("n", "sigmas"), [(32, 0.86), (100, 1.50), (1000, 2.46), (10_000, 3.20), (100_000, 3.81)])
def test_how_far_so_many_draws_can_certify(n: int, sigmas: float) -> None:
    assert largest_radius(n, 0.001, 1.0) == pytest.approx(sigmas, abs=0.005)
    assert largest_radius(n, 0.001, 0.25) == pytest.approx(0.25 * largest_radius(n, 0.001, 1.0))


def test_too_few_draws_certify_nothing() -> None:
    assert largest_radius(9, 0.001, 1.0) == 0.0  # 0.001^(1/9) is less than a half
    assert largest_radius(10, 0.001, 1.0) > 0.0


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    """The share of which so many or more have just the probability alpha."""
    share = float(lower_bound(torch.tensor([17]), 20, 0.05))
    tail = sum(math.comb(20, k) * share**k * (1 - share) ** (20 - k) for k in range(17, 21))
    assert tail == pytest.approx(0.05, abs=1e-9)
    assert lower_bound(torch.tensor([0, 20]), 20, 0.05).tolist() == pytest.approx([0.0, 0.05 ** (1 / 20)])


def test_a_certificate_is_as_seldom_wrong_as_it_says() -> None:
    """1,000 points at one distance, alpha 0.1: the radius is too large for at most a tenth, and for not much less."""
    distances = torch.full((1000,), 0.3, dtype=torch.float64)
    _, radius = found(distances, 200, 0.1)
    wrong = float((radius > distances).double().mean())
    assert 0.05 < wrong < 0.1 + 3 * math.sqrt(0.1 * 0.9 / 1000)


def test_votes_belong_to_the_sample() -> None:
    x = at(torch.tensor([0.1, 0.2, -0.1, 0.05], dtype=torch.float64))
    together = votes(Plane(), x, draws(4), sigma=SIGMA, count=100, batch=100)
    rows = torch.tensor([2, 0])
    assert torch.equal(together[rows], votes(Plane(), x[rows], draws(4).take(rows), sigma=SIGMA, count=100, batch=100))
    assert torch.equal(together, votes(Plane(), x, draws(4), sigma=SIGMA, count=100, batch=7))
    assert together.sum(1).tolist() == [100] * 4


def test_the_guess_is_made_from_draws_of_its_own() -> None:
    model = Plane()
    certify(model, at(torch.tensor([0.2], dtype=torch.float64)), draws(1), sigma=SIGMA, n0=10, n=10, batch=10)
    first, second = model.seen
    assert not torch.equal(first, second)


def test_noise_is_not_clipped_and_has_the_deviation() -> None:
    model = Plane()
    votes(model, torch.full((1, 3), 0.99, dtype=torch.float64), draws(1), sigma=SIGMA, count=5000, batch=5000)
    noise = model.seen[0] - 0.99
    assert float(noise.max()) > 1.0
    assert float(noise.std()) == pytest.approx(SIGMA, rel=0.03)


def test_votes_are_never_counted_in_bfloat16() -> None:
    model = Plane(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        votes(model, torch.zeros(2, 3), draws(2), sigma=SIGMA, count=10, batch=10)
    assert set(model.said) == {torch.float32}
