from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Norm

BALLS = [Norm.LINF, Norm.L2, Norm.L1]
BOX = (0.0, 1.0)


def points(
    count: int = 40, size: int = 9, *, spread: float = 1.0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Clean samples with zeros and ones in them, and points somewhere around."""
    generator = torch.Generator().manual_seed(size)
    x = (torch.rand(count, size, generator=generator, dtype=torch.float64) * 1.4 - 0.2).clamp(0, 1).to(dtype)
    return x, x + spread * torch.randn(count, size, generator=generator, dtype=torch.float64).to(dtype)


def reference(
    x: np.ndarray, z: np.ndarray, norm: Norm, epsilon: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """The projection of one sample by its optimality conditions, solved with Brent's method."""
    step = z - x

    def shrunk(strength: float) -> np.ndarray:
        inner = step / (1 + strength) if norm is Norm.L2 else np.sign(step) * np.maximum(np.abs(step) - strength, 0)
        return np.clip(inner, low - x, high - x)

    def excess(strength: float) -> float:
        return float(np.linalg.norm(shrunk(strength), 2 if norm is Norm.L2 else 1)) - epsilon

    if norm is Norm.LINF:
        return np.clip(z, np.maximum(low, x - epsilon), np.minimum(high, x + epsilon))
    if excess(0) <= 0:
        return x + shrunk(0)
    return x + shrunk(brentq(excess, 0, 1e6, xtol=1e-14, rtol=1e-14, maxiter=500))


@pytest.mark.parametrize("norm", BALLS)
@pytest.mark.parametrize("epsilon", [1e-3, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 2e-6)], ids=["double", "single"])
def test_projection_is_the_nearest_point(
    norm: Norm, epsilon: float, boxed: bool, dtype: torch.dtype, close: float
) -> None:
    x, z = points(dtype=dtype)
    projected = ThreatSet.around(x, norm, epsilon, box=BOX if boxed else None).project(z)
    low, high = (np.zeros(9), np.ones(9)) if boxed else (np.full(9, -np.inf), np.full(9, np.inf))
    for own, target, found in zip(x.double().numpy(), z.double().numpy(), projected.double().numpy(), strict=True):
        assert found == pytest.approx(reference(own, target, norm, epsilon, low, high), abs=close)


@pytest.mark.parametrize("norm", [Norm.L2, Norm.L1])
def test_reference_agrees_with_a_general_solver(norm: Norm) -> None:
    """The reference is derived on paper; a solver that knows nothing of it finds no nearer point."""
    x, z = points(3, 4)
    for own, target in zip(x.numpy(), z.numpy(), strict=True):
        expected = reference(own, target, norm, 0.4, np.zeros(4), np.ones(4))
        order = 2 if norm is Norm.L2 else 1
        found = minimize(
            lambda point, target=target: float(((point - target) ** 2).sum()),
            own * 0.98 + 0.01,
            bounds=[(0, 1)] * 4,
            constraints={"type": "ineq", "fun": lambda p, own=own, order=order: 0.4 - np.linalg.norm(p - own, order)},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert ((expected - target) ** 2).sum() <= found.fun + 1e-6
        assert expected == pytest.approx(found.x, abs=1e-3)


def exact_length(step: list[Fraction], norm: Norm) -> float:
    if norm is Norm.LINF:
        return float(max(abs(each) for each in step))
    if norm is Norm.L1:
        return float(sum(abs(each) for each in step))
    return float(sum(each * each for each in step)) ** 0.5


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    norm=st.sampled_from(BALLS),
    epsilon=st.floats(0, 4, width=32),
    boxed=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_box_and_norm_hold_to_one_ulp_and_twice_is_once(
    data: st.DataObject, norm: Norm, epsilon: float, boxed: bool, dtype: torch.dtype
) -> None:
    width = 32 if dtype == torch.float32 else 64
    size = data.draw(st.integers(1, 6))
    clean = data.draw(st.lists(st.floats(0, 1, width=width), min_size=size, max_size=size))
    moved = data.draw(st.lists(st.floats(-8, 8, width=width), min_size=size, max_size=size))
    x, z = torch.tensor([clean], dtype=dtype), torch.tensor([moved], dtype=dtype)
    ball = ThreatSet.around(x, norm, epsilon, box=BOX if boxed else None)
    projected = ball.project(z)
    assert not boxed or (projected.min() >= 0 and projected.max() <= 1)
    step = [Fraction(a) - Fraction(b) for a, b in zip(projected[0].tolist(), clean, strict=True)]
    ulp = max(torch.finfo(dtype).eps, 2.0**-48)
    assert exact_length(step, norm) <= epsilon * (1 + 1.01 * ulp)
    assert ball.contains(projected).all()
    assert torch.equal(ball.project(projected), projected)
    if ball.contains(z).all():
        assert torch.equal(projected, z)


@pytest.mark.parametrize("norm", BALLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_ulp_in_many_dimensions(norm: Norm, dtype: torch.dtype) -> None:
    x, z = points(16, 3000, spread=0.05, dtype=dtype)
    for epsilon in (1e-4, 8 / 255, 2.0):
        ball = ThreatSet.around(x, norm, epsilon, box=BOX)
        projected = ball.project(z)
        step = projected.double() - x.double()
        length = step.abs().amax(1) if norm is Norm.LINF else torch.linalg.vector_norm(step, int(norm.value[1:]), dim=1)
        assert float(length.max()) <= float(ball.epsilon[0]) * (1 + max(torch.finfo(dtype).eps, 2.0**-48))
        assert torch.equal(ball.project(projected), projected)
        assert projected.min() >= 0
        assert projected.max() <= 1


@pytest.mark.parametrize("norm", list(Norm))
def test_nothing_moves_without_a_budget(norm: Norm) -> None:
    x, z = points()
    ball = ThreatSet.around(x, norm, 0.0, box=BOX)
    if norm is not Norm.UNBOUNDED:
        assert torch.equal(ball.project(z), x)
        assert torch.equal(ball.random(Draws(1, torch.arange(40))), x)
    assert ball.contains(x).all()
    assert float(ball.distance(x).max()) == 0


@pytest.mark.parametrize("norm", BALLS)
def test_every_sample_has_its_own_epsilon_and_nothing_else(norm: Norm) -> None:
    x, z = points()
    epsilon = torch.linspace(0, 2, 40, dtype=torch.float64)
    together = ThreatSet.around(x, norm, epsilon, box=BOX).project(z)
    for row in (0, 7, 39):
        alone = ThreatSet.around(x[row : row + 1], norm, float(epsilon[row]), box=BOX).project(z[row : row + 1])
        assert torch.equal(together[row : row + 1], alone)
    taken = ThreatSet.around(x, norm, epsilon, box=BOX).take(torch.tensor([5, 3]))
    assert torch.equal(taken.project(z[[5, 3]]), together[[5, 3]])


@pytest.mark.parametrize("norm", [*BALLS, Norm.L0, Norm.UNBOUNDED])
@pytest.mark.parametrize("boxed", [True, False])
def test_masked_numbers_stay(norm: Norm, boxed: bool) -> None:
    x, z = points()
    mask = torch.zeros(1, 9, dtype=torch.bool)
    mask[:, 2:5] = True
    ball = ThreatSet.around(x, norm, 0.4 if norm is not Norm.L0 else 2, box=BOX if boxed else None, mask=mask)
    for point in (ball.project(z), ball.random(Draws(1, torch.arange(40)))):
        assert torch.equal(point[:, :2], x[:, :2])
        assert torch.equal(point[:, 5:], x[:, 5:])
        assert ball.contains(point).all()
    assert not torch.equal(ball.project(z), x)
    assert not ball.contains(z).any()


def test_l0_keeps_the_numbers_that_matter_most() -> None:
    x = torch.tensor([[0.0, 0.5, 1.0, 0.2]])
    z = torch.tensor([[-9.0, 0.9, 1.7, 0.1]])
    ball = ThreatSet.around(x, Norm.L0, 2, box=BOX)
    assert ball.project(z).tolist() == [[0.0, pytest.approx(0.9), 1.0, pytest.approx(0.1)]]
    assert float(ball.distance(ball.project(z))) == 2
    assert not ball.contains(torch.tensor([[0.1, 0.6, 0.9, 0.2]])).all()


def test_l0_counts_whole_numbers() -> None:
    x = torch.rand(8, 20, generator=torch.Generator().manual_seed(0))
    ball = ThreatSet.around(x, Norm.L0, torch.tensor([2.5, 0.5]).repeat(4), box=BOX)
    for z in (ball.project(1 - x), ball.random(Draws(1, torch.arange(8)))):
        assert ball.contains(z).all()
        assert ball.distance(z).tolist() == [2, 0] * 4


def gauge(step: Tensor, norm: Norm) -> Tensor:
    orders = {Norm.LINF: torch.inf, Norm.L2: 2, Norm.L1: 1}
    return torch.linalg.vector_norm(step.flatten(1), orders[norm], dim=1)


@pytest.mark.parametrize("norm", BALLS)
def test_starts_are_uniform_in_the_ball(norm: Norm) -> None:
    """Of a uniform law on a ball in n dimensions, (length / radius) ** n is uniform; and no side is preferred."""
    from scipy import stats

    x = torch.full((4000, 2, 2), 0.5, dtype=torch.float64)
    ball = ThreatSet.around(x, norm, 0.3)
    step = ball.random(Draws(5, torch.arange(4000))) - x
    share = (gauge(step, norm) / 0.3) ** 4
    assert float(share.max()) <= 1 + 1e-9
    assert stats.kstest(share.numpy(), "uniform").pvalue > 0.01
    assert float((step > 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    spread = (step**2).flatten(1).mean(0)
    assert float(spread.max() / spread.min()) < 1.2


def test_a_start_is_the_same_alone() -> None:
    x, _ = points(8)
    ids = torch.arange(100, 108)
    for norm in BALLS:
        together = ThreatSet.around(x, norm, 0.5, box=BOX).random(Draws(2, ids))
        alone = ThreatSet.around(x[3:4], norm, 0.5, box=BOX).random(Draws(2, ids[3:4]))
        assert torch.equal(together[3:4], alone)


@pytest.mark.parametrize("norm", BALLS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_is_outside(norm: Norm, bad: float) -> None:
    x, _ = points()
    z = x.clone()
    z[3, 2] = bad
    assert ThreatSet.around(x, norm, torch.inf if norm is Norm.LINF else 1e30).contains(z).tolist().count(False) == 1


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x.float()], ids=["double", "single"])
@pytest.mark.parametrize("norm", [Norm.L2, Norm.L1])
def test_tiny_and_huge_numbers(norm: Norm, make: Callable[[Tensor], Tensor]) -> None:
    x = make(torch.zeros(2, 5, dtype=torch.float64))
    for epsilon, far in ((1e-25, 1e-20), (1e-3, 1e15 if norm is Norm.L2 else 1e3), (1e8, 1e12)):
        ball = ThreatSet.around(x, norm, epsilon)
        projected = ball.project(x + far)
        assert ball.contains(projected).all()
        assert float(ball.distance(projected)[0]) == pytest.approx(epsilon, rel=1e-5)
