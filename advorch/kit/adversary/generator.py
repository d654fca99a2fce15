"""A trained generator as a folder: its weights, and what it takes to build its game again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advorch.artifacts import FORMAT, Signature, check_format
from advorch.canonical import Json
from advorch.kit.adversary.game import Game
from advorch.kit.codecs import untie, write_json

_WEIGHTS, _RECORD = "weights.safetensors", "generator.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorRecord:
    """The component and parameters that made a generator, and the data that it imitates; of sentences, the words."""

    component: str
    params: Mapping[str, Json]
    signature: Signature
    vocabulary: tuple[str, ...] = ()


def write_generator(folder: Path, module: nn.Module, record: GeneratorRecord) -> None:
    """Weights of the output player alone; its opponents end with the game."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors, tied = untie(module.state_dict())
    save_file(tensors, folder / _WEIGHTS)
    plain: dict[str, Any] = {
        "component": record.component,
        "params": dict(record.params),
        "tied": tied,
        "vocabulary": list(record.vocabulary),
    }
    write_json(folder / _RECORD, {"format": f"generator/{FORMAT}", **plain, "signature": record.signature.plain()})


def read_generator(folder: Path, build: Callable[[GeneratorRecord], Game]) -> Game:
    """The game with its trained generator, in evaluation mode; only `sample` is of use, the opponents are untrained."""
    plain = json.loads((folder / _RECORD).read_text())
    check_format(plain["format"], "generator")
    signature = Signature.parse(plain["signature"])
    record = GeneratorRecord(
        component=plain["component"],
        params=plain["params"],
        signature=signature,
        vocabulary=tuple(plain.get("vocabulary", ())),
    )
    game = build(record)
    tensors: dict[str, Tensor] = load_file(folder / _WEIGHTS)
    game.generator.load_state_dict(tensors | {name: tensors[first] for name, first in plain["tied"].items()})
    game.generator.eval()
    return game


@torch.no_grad()
def draw(game: Game, count: int, seed: int, *, device: str = "cpu", batch: int = 1024) -> Tensor:
    """Samples on the CPU; the same for the same seed and batch."""
    rng = torch.Generator(device).manual_seed(seed)
    sizes = [min(batch, count - start) for start in range(0, count, batch)]
    return torch.cat([game.sample(size, rng).cpu() for size in sizes])


@torch.no_grad()
def draw_of(game: Game, y: Tensor, seed: int, *, device: str = "cpu", batch: int = 1024) -> Tensor:
    """A sample of each class in `y`, on the CPU, from a game that knows classes."""
    if game.latent is None or not game.latent.classes:
        raise ValueError("this game draws no samples by class")
    rng = torch.Generator(device).manual_seed(seed)
    groups = torch.split(y.to(device), batch)
    return torch.cat([game.latent.decode(game.latent.draw(len(group), rng), group).cpu() for group in groups])
