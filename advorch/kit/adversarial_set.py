"""What an attack leaves behind: every sample's adversarial with its verdict, and what it was attacked with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file, save_file
from torch import Tensor

from advorch.artifacts import FORMAT, check_format
from advorch.canonical import Json
from advorch.kit.data import Data
from advorch.threat import Budget

_TENSORS: Final = "adversarial.safetensors"
_RECORD: Final = "adversarial.json"
COLUMNS: Final = (
    "adversarial",
    "ids",
    "y",
    "clean_prediction",
    "adversarial_prediction",
    "success",
    "distance",
    "queries",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialSet:
    """One row a sample, in the order of the data; `model` and `data` are content digests, `label` is the model's name.

    A sample that the model got wrong from the start is its own adversarial and no success. With a minimal budget an
    adversarial may lie beyond epsilon, and is no success then.
    """

    adversarial: Tensor
    ids: Tensor
    y: Tensor
    clean_prediction: Tensor
    adversarial_prediction: Tensor
    success: Tensor
    distance: Tensor
    queries: Tensor
    classes: tuple[str, ...]
    box: tuple[float, float] | None
    attack: str
    settings: Mapping[str, Json]
    model: str
    data: str
    label: str
    budget: Budget = Budget.FIXED

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def clean_correct(self) -> Tensor:
        """Which samples the model got right before."""
        return self.clean_prediction.eq(self.y)

    @property
    def robust(self) -> Tensor:
        """Which samples were right before and withstood."""
        return self.clean_correct & ~self.success

    def as_data(self) -> Data:
        """The adversarials as samples with their true labels."""
        return Data(x=self.adversarial, y=self.y, ids=self.ids, classes=self.classes, box=self.box)


def write_adversarial(folder: Path, samples: AdversarialSet) -> None:
    """Tensors and record."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(samples, name).detach().cpu().contiguous() for name in COLUMNS}
    save_file(tensors, folder / _TENSORS)
    record = {
        "format": f"adversarial/{FORMAT}",
        "classes": list(samples.classes),
        "box": list(samples.box) if samples.box else None,
        "attack": samples.attack,
        "settings": dict(samples.settings),
        "model": samples.model,
        "data": samples.data,
        "label": samples.label,
        "budget": samples.budget.value,
    }
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / _RECORD).write_text(text + "\n")


def read_adversarial(folder: Path) -> AdversarialSet:
    """Read back what `write_adversarial` wrote."""
    record: Mapping[str, Any] = json.loads((folder / _RECORD).read_text())
    check_format(record["format"], "adversarial")
    box = tuple(record["box"]) if record["box"] else None
    tensors = load_file(folder / _TENSORS)
    values: dict[str, Any] = {name: tensors[name] for name in COLUMNS}
    values |= {name: record[name] for name in ("attack", "settings", "model", "data", "label")}
    budget = Budget(record.get("budget", Budget.FIXED))
    return AdversarialSet(**values, classes=tuple(record["classes"]), box=box, budget=budget)
