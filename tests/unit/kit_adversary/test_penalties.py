"""Closed forms of penalties, and the faults of published code that each of them rules out."""

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.penalties import gradient_penalty, refuse_batch_norm


def draws(seed: int = 0) -> Draws:
    return Draws(torch.Generator().manual_seed(seed))


def batch(count: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("target", "expected"), [(1.0, (13 - 1) ** 2), (13.0, 0.0), (2.0, (13 / 2 - 1) ** 2)])
def test_of_a_linear_critic_it_is_known(target: float, expected: float) -> None:
    weights = torch.tensor([3.0, -4.0, 12.0]).double()
    found = gradient_penalty(lambda x: x @ weights + 5, batch(6, 3), batch(6, 3, seed=2), draws(), target)
    torch.testing.assert_close(found, torch.full((6,), expected, dtype=torch.float64))


def test_the_slope_is_taken_over_all_axes_of_a_sample_and_over_no_other() -> None:
    """Not over channels alone, as in one port, nor over the whole batch, as in another."""
    weights = batch(1, 2, 3, 4, seed=3)
    expected = (weights.norm() - 1).square().expand(5)
    for count in (1, 5):
        found = gradient_penalty(
            lambda x: (x * weights).flatten(1).sum(1), batch(count, 2, 3, 4), batch(count, 2, 3, 4, seed=2), draws()
        )
        torch.testing.assert_close(found, expected[:count])


def test_every_sample_has_a_place_of_its_own_on_the_line_to_its_fake() -> None:
    seen: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    real, fake = torch.zeros(50, 2, 3), torch.ones(50, 2, 3)
    gradient_penalty(score, real, fake, draws())
    (places,) = seen
    assert torch.equal(places.flatten(1).amin(1), places.flatten(1).amax(1))  # one number for all pixels of a sample
    assert len(torch.unique(places)) == 50
    assert 0 <= places.min() < 0.1
    assert 0.9 < places.max() <= 1


def test_a_flat_critic_pays_one_and_has_a_finite_gradient() -> None:
    scale = torch.zeros((), requires_grad=True)
    penalty = gradient_penalty(lambda x: scale * x.sum(1), torch.randn(4, 3), torch.randn(4, 3), draws())
    torch.testing.assert_close(penalty.detach(), torch.ones(4))
    penalty.mean().backward()
    assert torch.isfinite(scale.grad)


def test_fakes_take_no_gradient_from_it() -> None:
    fake = torch.randn(4, 3, requires_grad=True)
    weights = torch.randn(3, requires_grad=True)
    gradient_penalty(lambda x: (x @ weights) ** 2, torch.randn(4, 3), fake, draws()).mean().backward()
    assert fake.grad is None
    assert weights.grad is not None


def test_it_is_differentiable_in_the_critic() -> None:
    weights = torch.tensor([3.0, 4.0], requires_grad=True)
    gradient_penalty(lambda x: x @ weights, torch.randn(7, 2), torch.randn(7, 2), draws()).mean().backward()
    torch.testing.assert_close(weights.grad, 2 * (5 - 1) * weights.detach() / 5)


def test_batch_norm_in_a_penalised_critic_is_refused() -> None:
    critic = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(StageFailed, match=r"judge each sample by itself.* 1 normalises over the batch"):
        refuse_batch_norm(critic)
    refuse_batch_norm(nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.GroupNorm(1, 4)))
