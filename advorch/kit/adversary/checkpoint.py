"""A match on disk: tensors as safetensors, the rest as JSON; nothing is pickled.

Random state needs no bytes: it is a function of the seed and the step, and both are here.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from advorch.artifacts import check_format
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.match import Match

FORMAT = "match/1"
TENSORS, FACTS = "match.safetensors", "match.json"


def save(match: Match, folder: Path, *, seed: int) -> Path:
    """Write every player, optimiser and average, and the position in the data."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {"format": FORMAT, "seed": seed, "step": match.step, "drawn": match.drawn, "optimizers": {}}
    for player in match.game.players:
        tensors |= _prefixed(f"player/{player.name}", player.module.state_dict())
        moments, rest = _split(match.optimizers[player.name])
        tensors |= _prefixed(f"optimizer/{player.name}", moments)
        facts["optimizers"][player.name] = rest
    if match.ema:
        tensors |= _prefixed("ema", match.ema.state)
    # Tied weights share storage, which safetensors refuses: each entry gets its own.
    save_file({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}, folder / TENSORS)
    (folder / FACTS).write_text(json.dumps(facts, sort_keys=True, allow_nan=False))
    return folder


def load(match: Match, folder: Path, *, seed: int) -> None:
    """Put a match of the same game where `save` left it."""
    facts = json.loads((folder / FACTS).read_text())
    check_format(facts["format"], "match")
    if facts["seed"] != seed:
        raise StageFailed("the checkpoint was played with another seed", error_class=ErrorClass.USER)
    tensors = load_file(folder / TENSORS)
    for player in match.game.players:
        player.module.load_state_dict(_under(f"player/{player.name}", tensors))
        moments = _under(f"optimizer/{player.name}", tensors)
        _restore(match.optimizers[player.name], moments, facts["optimizers"][player.name])
    if match.ema:
        match.ema.load(_under("ema", tensors))
    match.step, match.drawn = facts["step"], facts["drawn"]


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _split(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors by `index/name`, and its groups and plain values."""
    state = optimizer.state_dict()
    entries = {f"{index}/{name}": value for index, values in state["state"].items() for name, value in values.items()}
    tensors = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in entries.items() if not isinstance(value, Tensor)}
    return tensors, {"groups": state["param_groups"], "plain": plain}


def _restore(optimizer: Optimizer, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for entry, value in [*tensors.items(), *rest["plain"].items()]:
        index, _, name = entry.partition("/")
        state.setdefault(int(index), {})[name] = value
    with torch.no_grad():
        optimizer.load_state_dict({"state": state, "param_groups": rest["groups"]})
