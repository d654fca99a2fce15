"""The objective of Liu et al. and what each of its parts does."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.surrogates import Joined
from advorch.kit.attack.victim import Victim
from advorch.testing.fakes import LinearModel
from advorch.threat import Access, Norm
from advorch_builtins.attacks.catalog_transfer import ENSEMBLE
from advorch_builtins.attacks.ensemble import doubt


def run(
    surrogates: tuple[nn.Module, ...],
    x: Tensor,
    y: Tensor,
    *,
    target: bool = False,
    norm: str = "unbounded",
    **params: Any,
) -> AttackResult:
    victim = Victim(
        surrogates[0], box=(0.0, 1.0), norm=Norm(norm), epsilon=0.1, access=Access.NOTHING, surrogates=surrogates,
        targeted=target,
    )  # fmt: skip
    return run_attack(ENSEMBLE.load(), victim, x, y, ENSEMBLE.params.parse(params), Draws(1, torch.arange(len(x))))


def test_doubt_is_the_logarithm_of_the_probability_of_error_and_keeps_its_slope() -> None:
    logits = torch.randn(20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(20) % 5
    wrong = 1 - logits.softmax(1).gather(1, y[:, None]).squeeze(1)
    assert torch.allclose(doubt(logits, y), wrong.log())
    sure = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(doubt(sure, torch.tensor([0])).sum(), sure)
    assert slope.tolist()[0] == pytest.approx([-1.0, 0.5, 0.5])


def test_weights_make_a_weighted_mean() -> None:
    one, other = LinearModel(6, 3, seed=1), LinearModel(6, 3, seed=2)
    x = torch.rand(7, 6)
    with torch.no_grad():
        mean = 0.25 * one(x).softmax(1) + 0.75 * other(x).softmax(1)
        assert torch.allclose(Joined([one, other], [1.0, 3.0])(x).softmax(1), mean, atol=1e-6)


def test_a_heavy_price_keeps_samples_near_and_no_price_lets_them_go(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    near, far = (run((trained,), *held_out, steps=60, **{"lambda": price}) for price in (20.0, 0.0))
    right = near.clean_correct
    assert near.distance[right].mean() < 0.5 * far.distance[right].mean()
    assert far.success[right].all(), "with neither ball nor price everything is fooled"


def test_it_ends_where_price_and_probability_balance() -> None:
    """On a linear model with two classes, far from the box: p_y |w| = lambda / sqrt(n) along w."""
    module = LinearModel(8, 2).double()
    slope = (module.weight[1] - module.weight[0]).detach()
    x = torch.full((1, 8), 0.5, dtype=torch.float64) - 0.002 * slope / slope.norm()  # p_y is a half, just about
    whole = float(slope.norm()) * math.sqrt(8)
    dear = run((module,), x, torch.tensor([0]), steps=800, lr=0.002, **{"lambda": 0.6 * whole})
    assert dear.distance.item() < 0.01, "the price is above the slope, so that it stays"
    cheap = run((module,), x, torch.tensor([0]), steps=800, lr=0.002, **{"lambda": 0.3 * whole})
    with torch.no_grad():
        belief = float(module(cheap.adversarial).softmax(1)[0, 0])
    assert belief == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_ball_holds_as_well(norm: str, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = run((trained,), *held_out, norm=norm)
    assert (result.distance <= 0.1 * (1 + 1e-6)).all()
    assert result.success.sum() > 10
    assert result.queries.eq(0).all()


def test_targets_are_reached_without_a_question(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = run((trained,), *held_out, target=True, **{"lambda": 0.1})
    hit = result.adversarial_prediction.eq(result.target) & result.clean_correct
    assert torch.equal(result.success, hit)
    assert hit.sum() > 0.8 * result.clean_correct.sum()
    assert result.queries.eq(0).all()


def test_a_weight_a_surrogate(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(StageFailed, match="2 weights for 1 surrogates"):
        run((trained,), *held_out, weights=[1.0, 2.0])
