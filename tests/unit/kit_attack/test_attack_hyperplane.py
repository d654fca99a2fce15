"""Shortest steps onto a hyperplane inside a box, against linear and quadratic programs solved by SciPy."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import Tensor

from advorch.kit.attack import hyperplane
from advorch.kit.attack.hyperplane import dual_length, nearest_lead, onto_hyperplane
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Norm

NORMS = (Norm.LINF, Norm.L2, Norm.L1)
ORDER = {Norm.LINF: np.inf, Norm.L2: 2, Norm.L1: 1}


def problem(seed: int, box: bool = True) -> tuple[ThreatSet, Tensor, Tensor, Tensor]:
    """Points of which a third are at the box, and gaps that some boxes can close and some cannot."""
    rng = torch.Generator().manual_seed(seed)
    z = (torch.rand(12, 7, generator=rng, dtype=torch.float64) * 1.5 - 0.25).clamp(0, 1)
    slope = torch.randn(12, 7, generator=rng, dtype=torch.float64)
    slope[:, 3] = 0
    gap = torch.linspace(-3.5, 3.5, 12, dtype=torch.float64)
    return ThreatSet.around(z, Norm.L2, torch.inf, box=(0.0, 1.0) if box else None), z, slope, gap


def in_norm(ball: ThreatSet, norm: Norm) -> ThreatSet:
    return ThreatSet.around(ball.x, norm, torch.inf, box=None if ball.lower is None else (0.0, 1.0))


def shortest(norm: Norm, z: np.ndarray, slope: np.ndarray, gap: float) -> float:
    """The optimal length by a solver that knows nothing of ours."""
    size = len(z)
    if norm is Norm.L2:
        found = minimize(
            lambda d: d @ d,
            np.zeros(size),
            jac=lambda d: 2 * d,
            bounds=list(zip(-z, 1 - z, strict=True)),
            constraints={"type": "eq", "fun": lambda d: slope @ d - gap, "jac": lambda d: slope},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        return float(np.sqrt(found.fun))
    rise, fall = np.eye(size), -np.eye(size)
    if norm is Norm.LINF:
        cost, bound = np.r_[np.zeros(size), 1.0], np.r_[np.c_[rise, -np.ones(size)], np.c_[fall, -np.ones(size)]]
        extra = 1
    else:
        cost, bound = np.r_[np.zeros(size), np.ones(size)], np.r_[np.c_[rise, -rise], np.c_[fall, -rise]]
        extra = size
    limits = [*zip(-z, 1 - z, strict=True), *[(0, None)] * extra]
    equal = np.r_[slope, np.zeros(extra)][None]
    found = linprog(cost, A_ub=bound, b_ub=np.zeros(2 * size), A_eq=equal, b_eq=[gap], bounds=limits)
    return float(found.fun)


@pytest.mark.parametrize("norm", NORMS)
def test_the_step_is_legal_closes_the_gap_and_is_as_short_as_a_solver_finds(norm: Norm) -> None:
    ball, z, slope, gap = problem(0)
    step = onto_hyperplane(in_norm(ball, norm), z, slope, gap)
    most = torch.where(gap[:, None] * slope > 0, (1 - z) * slope.abs(), z * slope.abs()).sum(1)
    reachable = gap.abs() <= most
    gained = (slope * step).sum(1)
    assert 4 <= reachable.sum() < 12
    assert ((z + step) >= -1e-12).all()
    assert ((z + step) <= 1 + 1e-12).all()
    assert torch.allclose(gained[reachable], gap[reachable], atol=1e-9)
    assert torch.allclose(gained[~reachable].abs(), most[~reachable], atol=1e-9)
    for row in reachable.nonzero().flatten():
        known = shortest(norm, z[row].numpy(), slope[row].numpy(), float(gap[row]))
        assert np.linalg.norm(step[row].numpy(), ORDER[norm]) == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_box_the_length_is_the_gap_over_the_dual_length(norm: Norm) -> None:
    ball, z, slope, gap = problem(1, box=False)
    step = onto_hyperplane(in_norm(ball, norm), z, slope, gap)
    assert torch.allclose((slope * step).sum(1), gap)
    length = torch.linalg.vector_norm(step, ord=ORDER[norm], dim=1)
    assert torch.allclose(length, gap.abs() / dual_length(norm, slope))


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_to_gain_and_nothing_to_climb_is_no_step(norm: Norm) -> None:
    ball, z, slope, gap = problem(2)
    ball = in_norm(ball, norm)
    assert onto_hyperplane(ball, z, torch.zeros_like(slope), gap).eq(0).all()
    assert onto_hyperplane(ball, z, slope, torch.zeros_like(gap)).abs().max() == 0
    assert torch.isfinite(onto_hyperplane(ball, z.float(), slope.float() * 1e-30, gap.float())).all()


def test_the_nearest_boundary_is_by_distance_not_by_lead() -> None:
    lead = torch.tensor([[-1.0, -2.0], [-1.0, -2.0], [-1.0, -1.0]])
    gradient = torch.tensor([[[1.0, 0], [0, 4]], [[1.0, 0], [0, 1]], [[0.0, 0], [0, 1]]])
    chosen, slope = nearest_lead(Norm.L2, lead, gradient)
    assert chosen.tolist() == [-2.0, -1.0, -1.0]
    assert slope.tolist() == [[0.0, 4.0], [1.0, 0.0], [0.0, 1.0]]


def test_climbing_finds_the_level_that_sorting_finds() -> None:
    rng = torch.Generator().manual_seed(4)
    weight, end = (torch.rand(64, 40, generator=rng, dtype=torch.float64) for _ in range(2))
    weight[:, ::5], end[:, ::7], end[:, 3] = 0, 0, 1e30
    weight[:, 3] = 0
    weight[0], gap = 0, (weight * end.clamp(max=1)).sum(1) * torch.linspace(0, 1.4, 64, dtype=torch.float64)
    climbed, ordered = (find(weight, end, gap).clamp(max=1) for find in (hyperplane._climbed, hyperplane._sorted))
    sure = ~ordered.isnan()
    assert sure.sum() >= 60
    assert torch.allclose(climbed[sure], ordered[sure], rtol=1e-12)


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2])
def test_both_ways_to_the_level_end_at_the_same_step(norm: Norm, monkeypatch: pytest.MonkeyPatch) -> None:
    ball, z, slope, gap = problem(0)
    gap[3] = 0
    slope[4] = 0
    climbed = onto_hyperplane(in_norm(ball, norm), z, slope, gap)
    monkeypatch.setattr(hyperplane, "_climbed", hyperplane._sorted)
    assert torch.allclose(climbed, onto_hyperplane(in_norm(ball, norm), z, slope, gap), atol=1e-14)
