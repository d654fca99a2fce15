"""What a generator promises: a game that can be played, and samples that are repeatable and in the box."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor

from advorch.components import AnyComponent, Generator
from advorch.errors import StageFailed
from advorch.kit.adversary import checkpoint
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.box import ends_of
from advorch.kit.data import Data
from advorch.testing.check import Check, ContractBroken, NotApplicable, demand
from advorch.testing.common import small_params, unfit
from advorch.testing.fakes import learnable_data, tiny_sentences

STEPS = 3
SHAPES = ((2,), (1, 16, 16), (1, 28, 28), (3, 32, 32))


def checks(component: AnyComponent) -> list[Check]:
    """The promises of a generator."""
    assert isinstance(component, Generator)
    tests: list[Callable[[Generator[Any]], None]] = [
        plays_a_few_steps, every_player_moves_on_its_turn_alone, samples_fit_the_data, samples_repeat_under_a_seed,
        has_players_that_safetensors_can_hold, goes_on_where_it_was_stopped, draws_the_classes_it_is_asked_for,
    ]  # fmt: skip
    return [Check(test.__name__.replace("_", " "), partial(test, component)) for test in tests]


def plays_a_few_steps(component: Generator[Any]) -> None:
    match, data = _start(component)
    losses = _play(match, data, STEPS)
    demand(match.step == STEPS, f"stopped at step {match.step} of {STEPS}")
    undeclared = sorted(set(losses) - component.metrics) if component.metrics else []
    demand(not undeclared, f"reports {', '.join(undeclared)} without declaring it in `metrics`")


def every_player_moves_on_its_turn_alone(component: Generator[Any]) -> None:
    match, data = _start(component)
    before = {player.name: _weights(match, player.name) for player in match.game.players}
    _play(match, data, 1)
    for name in set(match.game.turns(0)):
        moved = any(not torch.equal(*pair) for pair in zip(before[name], _weights(match, name), strict=True))
        demand(moved or not before[name], f"player {name!r} had its turn and did not move")
    for name in set(before) - set(match.game.turns(0)):
        same = all(torch.equal(*pair) for pair in zip(before[name], _weights(match, name), strict=True))
        demand(same, f"player {name!r} has no turn and moved")


def samples_fit_the_data(component: Generator[Any]) -> None:
    match, data = _start(component)
    _play(match, data, STEPS)
    for count in (1, 5):
        drawn = match.sample(count, seed=0)
        shape = (count, *data.signature.shape)
        demand(tuple(drawn.shape) == shape, f"sample({count}) has shape {tuple(drawn.shape)}, not {shape}")
        demand(torch.isfinite(drawn).all(), "samples are not finite")
        low, high = ends_of(data.box or (-torch.inf, torch.inf), data.signature.shape, drawn)
        demand(bool((drawn >= low).all() and (drawn <= high).all()), f"samples leave the box {data.box}")


def samples_repeat_under_a_seed(component: Generator[Any]) -> None:
    match, _ = _start(component)
    first, second, other = (match.sample(6, seed=seed) for seed in (0, 0, 1))
    demand(torch.equal(first, second), "the same seed draws other samples: use the generator that `sample` is given")
    demand(not torch.equal(first, other), "another seed draws the same samples")


def has_players_that_safetensors_can_hold(component: Generator[Any]) -> None:
    match, _ = _start(component)
    for player in match.game.players:
        try:
            save_safetensors(player.module.state_dict())
        except (RuntimeError, ValueError) as error:
            raise ContractBroken(f"the weights of {player.name!r} cannot be stored: {error}") from error


def goes_on_where_it_was_stopped(component: Generator[Any]) -> None:
    whole, data = _start(component)
    again, _ = _start(component, seed=1)
    with TemporaryDirectory() as folder:
        kept = Path(folder)
        losses = _play(whole, data, STEPS, lambda: checkpoint.save(whole, kept, seed=0))
        checkpoint.load(again, kept, seed=0)
    resumed = _play(again, data, STEPS)
    same = all(torch.equal(*pair) for pair in zip(whole.tensors(), again.tensors(), strict=True))
    demand(same and losses == resumed, "a game that was stopped ends otherwise than one that was not")
    demand(torch.equal(whole.sample(6, seed=0), again.sample(6, seed=0)), "its samples differ after a stop")


def draws_the_classes_it_is_asked_for(component: Generator[Any]) -> None:
    match, data = _start(component)
    classes = match.game.latent.classes if match.game.latent else 0
    if not classes:
        raise NotApplicable("it knows no classes")
    drawn = match.sample_of(torch.arange(2 * classes) % classes, seed=0)
    demand(tuple(drawn.shape) == (2 * classes, *data.signature.shape), f"drew samples of shape {tuple(drawn.shape)}")


def _start(component: Generator[Any], seed: int = 0) -> tuple[Match, Data]:
    reason = ""
    for shape in SHAPES:
        data = tiny_sentences(32) if component.words else learnable_data(32, shape, 2)
        try:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                game = component.load()(small_params(component, steps=STEPS), data.signature)
        except StageFailed as refusal:
            if not unfit(refusal):
                raise
            reason = refusal.message
            continue
        demand(isinstance(game, Game), f"returned {type(game).__name__}, not advorch.kit.adversary.game.Game")
        return Match(game, "cpu"), data
    raise ContractBroken(f"refuses every shape of {SHAPES}: {reason}")


def _play(match: Match, data: Data, steps: int, keep_first: Callable[[], Any] = lambda: None) -> dict[str, float]:
    def report(step: int, losses: Mapping[str, float], keep: bool) -> None:
        if step == 1:
            keep_first()

    return play(match, data, Rules(steps=steps, batch=8, seed=0, report_every=1), report, labelled=data)


def _weights(match: Match, player: str) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in match.parameters[player]]
