from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data

NewGame = Callable[..., Game]
Ring = Callable[[int, int], Data]


def silent(step: int, losses: Mapping[str, float], keep: bool) -> None:
    """Nobody listens."""


def watched(game: Game, seen: list[tuple[str, Turn]]) -> Game:
    """The same game, with every turn written down."""

    def spy(player: Player) -> Player:
        def loss(turn: Turn) -> Tensor:
            seen.append((player.name, turn))
            return player.loss(turn)

        return replace(player, loss=loss)

    return replace(game, players=tuple(spy(player) for player in game.players))


def test_turns_follow_the_schedule_each_with_a_fresh_minibatch(new_game: NewGame, ring: Ring) -> None:
    seen: list[tuple[str, Turn]] = []
    play(Match(watched(new_game(k=3), seen), "cpu"), ring(64, 0), Rules(steps=2, batch=8, seed=0), silent)
    assert [name for name, _ in seen] == ["critic", "critic", "critic", "generator"] * 2
    assert [turn.step for _, turn in seen] == [0] * 4 + [1] * 4
    rows = torch.cat([turn.x for _, turn in seen])
    assert len(torch.unique(rows, dim=0)) == 64


def test_only_the_player_whose_turn_it_is_moves_or_takes_gradients(new_game: NewGame, ring: Ring) -> None:
    game = new_game(ema=0.0)
    alone = replace(game, schedule=("critic",))
    before = {name: value.clone() for name, value in game.generator.named_parameters()}
    play(Match(alone, "cpu"), ring(64, 0), Rules(steps=3, batch=16, seed=0), silent)
    for name, value in game.generator.named_parameters():
        assert torch.equal(value, before[name])
        assert value.grad is None
        assert value.requires_grad


def test_a_loss_that_forgets_to_detach_its_fakes_does_no_harm(new_game: NewGame, ring: Ring) -> None:
    game = new_game()

    def careless(turn: Turn) -> Tensor:
        critic = game.player("critic").module
        fakes = game.sample(len(turn.x), turn.rng)
        assert not fakes.requires_grad
        return critic(fakes).square().mean()

    critic = replace(game.player("critic"), loss=careless)
    play(
        Match(replace(game, players=(critic, game.player("generator"))), "cpu"),
        ring(32, 0), Rules(steps=1, batch=8, seed=0), silent,
    )  # fmt: skip
    assert all(parameter.requires_grad for parameter in game.generator.parameters())


def test_frozen_parameters_stay_frozen(new_game: NewGame, ring: Ring) -> None:
    game = new_game()
    frozen = next(game.generator.parameters())
    frozen.requires_grad_(False)
    before = frozen.clone()
    play(Match(game, "cpu"), ring(32, 0), Rules(steps=2, batch=8, seed=0), silent)
    assert torch.equal(frozen, before)
    assert not frozen.requires_grad


def test_reports_are_means_at_the_promised_steps(new_game: NewGame, ring: Ring) -> None:
    heard: list[tuple[int, bool]] = []

    def listen(step: int, losses: Mapping[str, float], keep: bool) -> None:
        assert set(losses) == {"critic_loss", "generator_loss"}
        heard.append((step, keep))

    rules = Rules(steps=10, batch=8, seed=0, report_every=3, checkpoint_every=5)
    play(Match(new_game(), "cpu"), ring(32, 0), rules, listen)
    assert heard == [(3, False), (5, True), (6, False), (9, False), (10, False)]


def test_a_loss_that_is_not_finite_ends_the_game_by_name(new_game: NewGame, ring: Ring) -> None:
    game = new_game()
    broken = replace(game.player("generator"), loss=lambda turn: game.sample(4, turn.rng).sum() * float("nan"))
    game = replace(game, players=(game.player("critic"), broken))
    with pytest.raises(StageFailed, match=r"generator_loss.* not finite") as caught:
        play(Match(game, "cpu"), ring(32, 0), Rules(steps=5, batch=8, seed=0, report_every=1), silent)
    assert caught.value.error_class is ErrorClass.NAN


def test_the_global_random_state_is_left_alone(new_game: NewGame, ring: Ring) -> None:
    match, data = Match(new_game(), "cpu"), ring(32, 0)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    play(match, data, Rules(steps=2, batch=8, seed=0), silent)
    assert torch.equal(torch.rand(1), expected)


def test_the_average_follows_the_weights_and_is_what_is_sampled(new_game: NewGame, ring: Ring) -> None:
    game = new_game(ema=0.5)
    start = {name: value.detach().clone() for name, value in game.generator.named_parameters()}
    match = Match(game, "cpu")
    play(match, ring(32, 0), Rules(steps=1, batch=8, seed=0), silent)
    live = {name: value.detach().clone() for name, value in game.generator.named_parameters()}
    with match.result() as module:
        assert not module.training
        for name, value in module.named_parameters():
            torch.testing.assert_close(value, (start[name] + live[name]) / 2)
    assert all(torch.equal(value, live[name]) for name, value in game.generator.named_parameters())
    assert game.generator.training


def test_samples_are_a_function_of_their_seed(new_game: NewGame) -> None:
    match = Match(new_game(), "cpu")
    assert torch.equal(match.sample(10, seed=1, batch=4), match.sample(10, seed=1, batch=4))
    assert match.sample(10, seed=1, batch=4).shape == (10, 2)
    assert not torch.equal(match.sample(10, seed=1), match.sample(10, seed=2))


@pytest.mark.parametrize(
    "change", [{"schedule": ("judge",)}, {"schedule": ()}, {"output": "nobody"}, {"ema": 1.0}], ids=str
)
def test_a_game_that_cannot_be_played_is_refused(new_game: NewGame, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"players|ema"):
        replace(new_game(), **change)


def test_two_players_of_one_name_are_refused(new_game: NewGame) -> None:
    game = new_game()
    with pytest.raises(ValueError, match="share a name"):
        replace(game, players=(game.players[0], game.players[0]))
