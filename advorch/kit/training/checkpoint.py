"""A training run on disk between two epochs: tensors as safetensors, the rest as JSON; nothing is pickled.

Random state and the learning rate need no bytes: they are functions of the seed, the epoch, the rank and the step.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from advorch.artifacts import check_format
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.codecs import untie, write_json
from advorch.kit.training.parts import restore_state, save_state
from advorch.kit.training.selection import Selection
from advorch.kit.training.trainer import Trainer

FORMAT = "training/1"
_TENSORS, _FACTS = "training.safetensors", "training.json"


def save(folder: Path, trainer: Trainer, selection: Selection) -> Path:
    """Write weights, optimiser, the best weights so far and the epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    moments, optimizer = _take_apart(trainer.optimizer)
    groups = {
        "model": trainer.model.state_dict(),
        "optimizer": moments,
        "best": selection.best_weights,
        "parts": save_state(trainer.parts),
    }
    every = {f"{group}/{name}": value for group, tensors in groups.items() for name, value in tensors.items()}
    tensors, tied = untie(every)
    save_file(tensors, folder / _TENSORS)
    facts = {"format": FORMAT, "seed": trainer.seeds.root, "optimizer": optimizer, "tied": tied}
    write_json(folder / _FACTS, facts | {"selection": selection.facts()})
    return folder


def load(folder: Path, trainer: Trainer, selection: Selection) -> None:
    """Put a trainer of the same settings where `save` left it."""
    facts = json.loads((folder / _FACTS).read_text())
    check_format(facts["format"], "training")
    if facts["seed"] != trainer.seeds.root:
        raise StageFailed("the checkpoint was trained with another seed", error_class=ErrorClass.USER)
    tensors = load_file(folder / _TENSORS, device=trainer.place.device)
    tensors |= {name: tensors[first] for name, first in facts["tied"].items()}
    trainer.model.load_state_dict(_under("model/", tensors))
    _put_together(trainer.optimizer, _under("optimizer/", tensors), facts["optimizer"])
    restore_state(trainer.parts, _under("parts/", tensors))
    trainer.remember()
    selection.restore(facts["selection"], _under("best/", tensors))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _take_apart(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors as `index/name`, and the groups and plain values as JSON."""
    state = optimizer.state_dict()
    flat = {f"{index}/{name}": value for index, values in state["state"].items() for name, value in values.items()}
    tensors = {name: value for name, value in flat.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in flat.items() if name not in tensors}
    return tensors, {"groups": state["param_groups"], "plain": plain}


def _put_together(optimizer: Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in [*tensors.items(), *rest["plain"].items()]:
        index, _, field = name.partition("/")
        state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": rest["groups"]})
