"""What an attack leaves behind: every sample's adversarial with its verdict, and what it was attacked with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advorch.artifacts import check_format
from advorch.canonical import Json
from advorch.kit.data import Data
from advorch.threat import Access, Box, Budget, parse_box, plain_box

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
    "forwards",
    "backwards",
    "first_step",
    "unrounded_success",
    "smallest_epsilon",
)
_FORMAT: Final = 2
_ADDED: Final = COLUMNS[-5:]
_UNKNOWN: Final = -1


def _nothing() -> Tensor:
    return torch.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialSet:
    """One row a sample, in the order of the data; `model` and `data` are content digests, `label` is the model's name.

    A sample that the model got wrong from the start is its own adversarial and no success. With a minimal budget an
    adversarial may lie beyond epsilon, and is no success then. `target` is what a targeted attack aimed at; `access` is
    what the attack could ask of the model, and `surrogates` are the digests of the models that it was made on in its
    place. `unrounded_success` is the verdict before rounding to levels. `smallest_epsilon` is the smallest one tried at
    which a sample fell, infinite where it stood, and zero where it was wrong already. `first_step` is how many steps
    led to the point that fooled; what is not known is -1.
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
    box: Box | None
    attack: str
    settings: Mapping[str, Json]
    model: str
    data: str
    label: str
    budget: Budget = Budget.FIXED
    target: Tensor | None = None
    access: Access | None = None
    surrogates: tuple[str, ...] = ()
    forwards: Tensor = field(default_factory=_nothing)
    backwards: Tensor = field(default_factory=_nothing)
    first_step: Tensor = field(default_factory=_nothing)
    unrounded_success: Tensor = field(default_factory=_nothing)
    smallest_epsilon: Tensor = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        """Whoever made a set before there were more columns knew nothing of them."""
        for name, values in self._assumed().items():
            if len(getattr(self, name)) != len(self):
                object.__setattr__(self, name, values)

    def _assumed(self) -> dict[str, Tensor]:
        unknown = torch.full((len(self),), _UNKNOWN, dtype=torch.int64)
        epsilon = torch.tensor(float(str(self.settings.get("epsilon", "inf"))), dtype=torch.float64)
        fell = torch.where(self.success.bool(), epsilon, torch.inf)
        return {
            "forwards": self.queries,
            "backwards": unknown,
            "first_step": unknown,
            "unrounded_success": self.success,
            "smallest_epsilon": fell.where(self.clean_correct, 0),
        }

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

    def robust_at(self, epsilon: float) -> Tensor:
        """Which samples were right before and withstood every epsilon up to this one that was tried."""
        return self.clean_correct & (self.smallest_epsilon > epsilon)

    def as_data(self) -> Data:
        """The adversarials as samples with their true labels."""
        return Data(x=self.adversarial, y=self.y, ids=self.ids, classes=self.classes, box=self.box)


def write_adversarial(folder: Path, samples: AdversarialSet) -> None:
    """Tensors and record."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(samples, name).detach().to("cpu", copy=True).contiguous() for name in COLUMNS}
    if samples.target is not None:
        tensors["target"] = samples.target.detach().cpu().contiguous()
    save_file(tensors, folder / _TENSORS)
    record = {
        "format": f"adversarial/{_FORMAT}",
        "classes": list(samples.classes),
        "box": plain_box(samples.box),
        "attack": samples.attack,
        "settings": dict(samples.settings),
        "model": samples.model,
        "data": samples.data,
        "label": samples.label,
        "budget": samples.budget.value,
        "access": samples.access.value if samples.access else None,
        "surrogates": list(samples.surrogates),
    }
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / _RECORD).write_text(text + "\n")


def read_adversarial(folder: Path) -> AdversarialSet:
    """Read back what `write_adversarial` wrote."""
    record: Mapping[str, Any] = json.loads((folder / _RECORD).read_text())
    check_format(record["format"], "adversarial", _FORMAT)
    tensors = load_file(folder / _TENSORS)
    values: dict[str, Any] = {name: tensors[name] for name in COLUMNS if name in tensors or name not in _ADDED}
    values |= {name: record[name] for name in ("attack", "settings", "model", "data", "label")}
    access = record.get("access")
    return AdversarialSet(
        **values,
        classes=tuple(record["classes"]),
        box=parse_box(record["box"]),
        budget=Budget(record.get("budget", Budget.FIXED)),
        target=tensors.get("target"),
        access=Access(access) if access else None,
        surrogates=tuple(record.get("surrogates", ())),
    )
