import math

import pytest
import torch
from torch import Tensor

from advorch.kit.adversary.losses import critic_loss, non_saturating_loss, saturating_loss
from advorch.kit.adversary.penalties import r1_penalty


def slope(loss: "object", at: float) -> float:
    score = torch.tensor([at], dtype=torch.float64, requires_grad=True)
    loss(score).backward()
    return float(score.grad)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("score", [-6.0, -0.5, 0.0, 2.0])
def test_generator_gradients_are_the_closed_forms(score: float) -> None:
    assert slope(saturating_loss, score) == pytest.approx(-sigmoid(score))
    assert slope(non_saturating_loss, score) == pytest.approx(-sigmoid(-score))


def test_a_confident_critic_starves_the_saturating_generator() -> None:
    ratio = slope(saturating_loss, -6.0) / slope(non_saturating_loss, -6.0)
    assert ratio == pytest.approx(math.exp(-6.0))
    assert ratio == pytest.approx(0.0025, abs=3e-5)


def test_an_undecided_critic_pays_log_four() -> None:
    undecided = torch.zeros(5, dtype=torch.float64)
    assert float(critic_loss(undecided, undecided)) == pytest.approx(math.log(4))


def test_the_critic_s_loss_is_the_negated_value_of_the_game() -> None:
    real, fake = torch.tensor([0.3, 2.0]).double(), torch.tensor([-1.0, 0.7]).double()
    value = torch.log(torch.sigmoid(real)).mean() + torch.log(1 - torch.sigmoid(fake)).mean()
    assert float(critic_loss(real, fake)) == pytest.approx(-float(value))


def test_losses_stay_finite_where_probabilities_would_not() -> None:
    extreme = torch.tensor([-1e4, 1e4])
    for loss in (critic_loss(extreme, extreme), saturating_loss(extreme), non_saturating_loss(extreme)):
        assert torch.isfinite(loss)


def curved(x: Tensor) -> Tensor:
    return torch.tanh(x.flatten(1)).sum(dim=1) ** 2


def test_r1_of_a_linear_critic_is_the_squared_norm_of_its_weights() -> None:
    weights = torch.tensor([3.0, -4.0, 12.0]).double()
    x = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(r1_penalty(x @ weights + 5, x), torch.full((7,), 169.0, dtype=torch.float64))


def test_r1_of_a_sample_does_not_depend_on_its_batch() -> None:
    x = torch.randn(8, 1, 2, 3, dtype=torch.float64)
    together = x.clone().requires_grad_()
    alone = [sample[None].clone().requires_grad_() for sample in x]
    parts = torch.cat([r1_penalty(curved(sample), sample) for sample in alone])
    torch.testing.assert_close(r1_penalty(curved(together), together), parts)


def test_r1_is_differentiable_in_the_critic() -> None:
    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    x = torch.randn(4, 2, requires_grad=True)
    r1_penalty(x @ weights, x).mean().backward()
    torch.testing.assert_close(weights.grad, 2 * weights.detach())
