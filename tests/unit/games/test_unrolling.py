"""The generator's gradient through the critic's coming steps, against finite differences and a closed form."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from advorch.artifacts import Signature
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.losses import critic_loss, non_saturating_loss
from advorch_builtins.generators.unrolled_gan import ahead

Build = Callable[..., Game]
TurnOf = Callable[..., Turn]
PLANE = Signature(shape=(2,), classes=("a",))


def test_critics_move_by_plain_gradient_steps() -> None:
    torch.manual_seed(0)
    critic = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    real, fake = torch.randn(6, 2), torch.randn(6, 2)
    moved = ahead(critic, real, fake, steps=3, alpha=0.2)
    descent = torch.optim.SGD(critic.parameters(), lr=0.2)
    for _ in range(3):
        descent.zero_grad()
        critic_loss(critic(real), critic(fake)).backward()
        descent.step()
    for name, value in critic.named_parameters():
        torch.testing.assert_close(moved[name], value)


def test_the_generator_s_gradient_goes_through_the_critic_s_steps() -> None:
    torch.manual_seed(0)
    critic = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    real = torch.randn(6, 2, dtype=torch.float64)

    def loss(fake: Tensor) -> Tensor:
        moved = ahead(critic, real, fake, steps=4, alpha=0.5)
        return non_saturating_loss(torch.func.functional_call(critic, moved, (fake,)))

    assert torch.autograd.gradcheck(loss, torch.randn(6, 2, dtype=torch.float64, requires_grad=True))


def test_looking_ahead_moves_no_critic(build: Build, turn_of: TurnOf) -> None:
    game = build("unrolled-gan", PLANE, hidden=[8])
    critic = game.player("critic").module.requires_grad_(False)
    before = [parameter.clone() for parameter in critic.parameters()]
    game.player("generator").loss(turn_of(PLANE)).backward()
    assert all(torch.equal(*both) for both in zip(before, critic.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in critic.parameters())


@pytest.mark.parametrize("unrolled", [1, 3])
def test_the_look_ahead_is_as_long_as_asked_for(unrolled: int, build: Build, turn_of: TurnOf) -> None:
    game = build("unrolled-gan", PLANE, hidden=[8], unrolled=unrolled, alpha=0.5)
    turn = turn_of(PLANE)
    fake = game.generator(turn_of(PLANE).draws.normal(8, 2))
    critic = game.player("critic").module
    moved = ahead(critic, turn.x, fake, steps=unrolled, alpha=0.5)
    expected = non_saturating_loss(torch.func.functional_call(critic, moved, (fake,)))
    torch.testing.assert_close(game.player("generator").loss(turn), expected)
