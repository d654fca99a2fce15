"""What is left of a loss where float32 says that the model is certain."""

import math

import pytest
import torch

from advorch.kit.attack.objectives import cross_entropy, log_odds, margin

SURE = [30.0, 80.0, 100.0, 400.0, 3e4]


def _loss(gap: float, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    logits = torch.tensor([[0.0, gap, -1.0]], dtype=dtype, requires_grad=True)
    value = cross_entropy(logits, torch.tensor([1]))
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


@pytest.mark.parametrize("gap", SURE)
def test_the_gradient_leads_from_the_label_to_all_others(gap: float) -> None:
    gradient = _loss(gap)[1][0]
    assert gradient.abs().max() > 1e-30
    assert gradient[0] > gradient[2] > 0 > gradient[1]
    assert abs(float(gradient.sum() / gradient[1])) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_a_softmax_says_one_the_direction_is_the_same_at_any_scale(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits = torch.randn(40, 5, dtype=dtype)
    logits[:, 0] += 50
    y = torch.zeros(40, dtype=torch.int64)
    ways = []
    for scale in (1.0, 5.0, 50.0):
        point = (scale * logits).requires_grad_()
        gradient = torch.autograd.grad(cross_entropy(point, y).sum(), point)[0]
        ways.append(gradient / gradient[:, :1].abs())
    assert torch.allclose(ways[0], ways[1], atol=0.02)
    assert torch.allclose(ways[1], ways[2], atol=2e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_value_is_true_and_still_ranks_points(dtype: torch.dtype) -> None:
    values = torch.cat([_loss(gap, dtype)[0] for gap in SURE])
    true = torch.tensor([math.exp(-gap) * (1 + math.exp(-1)) for gap in SURE], dtype=dtype)
    assert torch.allclose(values, true, rtol=1e-5, atol=1e-34)
    assert bool((values.diff() < 0).all())


def test_the_value_is_monotone_in_the_log_odds_without_a_gap() -> None:
    gaps = torch.linspace(-20, 200, 4001, dtype=torch.float64)
    logits = torch.stack([torch.zeros_like(gaps), gaps], dim=1)
    values = cross_entropy(logits, torch.ones(len(gaps), dtype=torch.int64))
    assert bool((values.diff() < 0).all())


def test_the_slope_along_the_label_is_exact_far_beyond_float32() -> None:
    assert _loss(50.0)[1][0, 1].item() == pytest.approx(-math.exp(-50) * (1 + math.exp(-1)), rel=1e-4)


def test_log_odds_are_the_logit_of_the_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, y = torch.randn(20, 4, dtype=torch.float64), torch.arange(20) % 4
    right = (-cross_entropy(logits, y)).exp()
    assert torch.allclose(log_odds(logits, y), ((1 - right) / right).log())


def test_a_wrong_sample_has_the_usual_slope_of_one() -> None:
    logits = torch.tensor([[60.0, 0.0]], requires_grad=True)
    value = cross_entropy(logits, torch.tensor([1]))
    assert value.item() == 60
    assert torch.autograd.grad(value.sum(), logits)[0].tolist() == [[1.0, -1.0]]


def test_scaling_the_logits_changes_neither_direction_nor_order_with_two_classes() -> None:
    torch.manual_seed(0)
    logits, y = 3 * torch.randn(50, 2), torch.zeros(50, dtype=torch.int64)
    for scale in (5.0, 50.0):
        order = cross_entropy(scale * logits, y).argsort()
        assert torch.equal(order, margin(logits, y).argsort())
