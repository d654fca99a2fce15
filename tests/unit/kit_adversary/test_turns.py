"""What a player may ask of the loop besides its loss: a rate, a last word after its step, a fresh optimiser."""

import functools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.gang import Gang
from advorch.kit.adversary.lipschitz import clip_weights
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.optimizers import adam, linear_decay
from advorch.kit.data import Data

NewGame = Callable[..., Game]
Ring = Callable[[int, int], Data]
RULES = Rules(steps=8, batch=8, seed=0, report_every=1)


def silent(*_: object) -> None:
    """Nobody listens."""


def with_critic(game: Game, **changes: object) -> Game:
    critic = replace(game.player("critic"), **changes)
    return replace(game, players=(critic, game.player("generator")))


def test_a_schedule_may_depend_on_the_step(new_game: NewGame, ring: Ring) -> None:
    seen: list[int] = []

    def schedule(step: int) -> tuple[str, ...]:
        seen.append(step)
        return ("critic",) * (3 if step < 2 else 1) + ("generator",)

    match = Match(replace(new_game(), schedule=schedule), "cpu")
    play(match, ring(32, 0), RULES, silent)
    assert match.drawn == 2 * 4 + 6 * 2
    assert set(seen) == set(range(8))


def test_a_rate_is_a_function_of_the_share_of_the_game(new_game: NewGame, ring: Ring) -> None:
    rates: list[float] = []
    match = Match(with_critic(new_game(), rate=linear_decay), "cpu")
    play(match, ring(32, 0), RULES, lambda *_: rates.append(match.optimizers["critic"].param_groups[0]["lr"]))
    assert rates == pytest.approx([0.01 * (1 - step / 8) for step in range(8)])
    assert match.optimizers["generator"].param_groups[0]["lr"] == 0.05


def test_shares_are_told_to_losses(new_game: NewGame, ring: Ring) -> None:
    seen: list[float] = []
    critic = new_game().player("critic")

    def loss(turn: Turn) -> Tensor:
        seen.append(turn.share)
        return critic.loss(turn)

    play(Match(with_critic(new_game(k=1), loss=loss, module=critic.module), "cpu"), ring(32, 0), RULES, silent)
    assert seen == [step / 8 for step in range(8)]


def test_weights_are_clipped_after_the_step_that_would_have_left_the_box(new_game: NewGame, ring: Ring) -> None:
    """Clipped before it, as in published code, the generator would answer a critic that is not."""
    game = new_game()
    module, heard = game.player("critic").module, []

    def generate(turn: Turn) -> Tensor:
        heard.append(max(float(parameter.detach().abs().max()) for parameter in module.parameters()))
        return game.player("generator").loss(turn)

    steep = adam(0.5, (0.5, 0.9))
    critic = replace(game.player("critic"), optimizer=steep, settle=functools.partial(clip_weights, module, 0.01))
    generator = replace(game.player("generator"), loss=generate)
    play(Match(replace(game, players=(critic, generator)), "cpu"), ring(32, 0), RULES, silent)
    assert len(heard) == 8
    assert max(heard) <= 0.01


def test_optimisers_begin_anew_at_a_renewal(new_game: NewGame, ring: Ring) -> None:
    ages: list[float] = []
    match = Match(replace(new_game(k=1), renewals=(0.25, 0.6)), "cpu")

    def listen(*_: object) -> None:
        state = match.optimizers["critic"].state
        ages.append(float(next(iter(state.values()))["step"]))

    play(match, ring(32, 0), RULES, listen)
    assert ages == [1, 2, 1, 2, 3, 1, 2, 3]  # at steps 2 of 8 and, the first after 0.6 of them, 5


def test_two_ranks_draw_what_one_draws() -> None:
    def drawn(gang: Gang, count: int) -> Tensor:
        draws = Draws(torch.Generator().manual_seed(3), gang)
        return torch.cat([draws.normal(count, 2), draws.uniform(count, 2)], dim=1)

    whole = drawn(Gang(), 6)
    first, second = (drawn(place(rank), 3) for rank in (0, 1))
    assert torch.equal(torch.stack([first, second], dim=1).flatten(0, 1), whole)
    assert not torch.equal(first, second)


def place(rank: int) -> Gang:
    """A place among two, without their process group."""
    gang = Gang()
    object.__setattr__(gang, "rank", rank)
    object.__setattr__(gang, "size", 2)
    return gang
