import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from advorch.errors import FormatTooNew, StageFailed
from advorch.kit.adversary import checkpoint
from advorch.kit.adversary.game import Game
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data

NewGame = Callable[..., Game]
Ring = Callable[[int, int], Data]
RULES = Rules(steps=20, batch=16, seed=3, report_every=4, checkpoint_every=10)


def undisturbed(new_game: NewGame, data: Data, folder: Path) -> tuple[Match, dict[str, float]]:
    """Play all steps, keeping the state of the half."""
    match = Match(new_game(seed=1), "cpu")

    def keep(step: int, losses: Mapping[str, float], keep: bool) -> None:
        if keep:
            checkpoint.save(match, folder, seed=RULES.seed)

    return match, play(match, data, RULES, keep)


def resumed(new_game: NewGame, data: Data, folder: Path) -> tuple[Match, dict[str, float]]:
    """A new process would start from other weights, and from here."""
    match = Match(new_game(seed=99), "cpu")
    checkpoint.load(match, folder, seed=RULES.seed)
    return match, play(match, data, RULES, lambda *_: None)


def state(match: Match, folder: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoint.save(match, folder, seed=0) / checkpoint.TENSORS)


def difference(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


def test_a_resumed_game_is_bit_equal_to_an_undisturbed_one(new_game: NewGame, ring: Ring, tmp_path: Path) -> None:
    whole, whole_losses = undisturbed(new_game, ring(50, 0), tmp_path / "half")
    again, again_losses = resumed(new_game, ring(50, 0), tmp_path / "half")
    assert difference(state(whole, tmp_path / "a"), state(again, tmp_path / "b")) == 0
    assert whole_losses == again_losses
    assert (tmp_path / "a" / checkpoint.FACTS).read_bytes() == (tmp_path / "b" / checkpoint.FACTS).read_bytes()


@pytest.mark.parametrize(
    "part", ["player/critic", "player/generator", "optimizer/critic", "optimizer/generator", "ema"]
)
def test_nothing_in_a_checkpoint_is_spare(part: str, new_game: NewGame, ring: Ring, tmp_path: Path) -> None:
    whole, _ = undisturbed(new_game, ring(50, 0), tmp_path / "half")
    path = tmp_path / "half" / checkpoint.TENSORS
    save_file(
        {k: v * 0.5 if k.startswith(part) and v.is_floating_point() else v for k, v in load_file(path).items()}, path
    )
    again, _ = resumed(new_game, ring(50, 0), tmp_path / "half")
    assert difference(state(whole, tmp_path / "a"), state(again, tmp_path / "b")) > 0


@pytest.mark.parametrize("fact", ["drawn", "step"])
def test_the_position_matters(fact: str, new_game: NewGame, ring: Ring, tmp_path: Path) -> None:
    whole, _ = undisturbed(new_game, ring(50, 0), tmp_path / "half")
    path = tmp_path / "half" / checkpoint.FACTS
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {fact: facts[fact] + 1}))
    again, _ = resumed(new_game, ring(50, 0), tmp_path / "half")
    assert difference(state(whole, tmp_path / "a"), state(again, tmp_path / "b")) > 0


def test_another_seed_is_refused(new_game: NewGame, tmp_path: Path) -> None:
    match = Match(new_game(), "cpu")
    checkpoint.save(match, tmp_path, seed=1)
    with pytest.raises(StageFailed, match="another seed"):
        checkpoint.load(match, tmp_path, seed=2)


def test_a_newer_format_is_refused(new_game: NewGame, tmp_path: Path) -> None:
    match = Match(new_game(), "cpu")
    checkpoint.save(match, tmp_path, seed=1)
    facts = json.loads((tmp_path / checkpoint.FACTS).read_text()) | {"format": "match/2"}
    (tmp_path / checkpoint.FACTS).write_text(json.dumps(facts))
    with pytest.raises(FormatTooNew):
        checkpoint.load(match, tmp_path, seed=1)


def test_only_safetensors_and_json_are_written(new_game: NewGame, tmp_path: Path) -> None:
    checkpoint.save(Match(new_game(), "cpu"), tmp_path, seed=1)
    assert {path.name for path in tmp_path.iterdir()} == {checkpoint.TENSORS, checkpoint.FACTS}
