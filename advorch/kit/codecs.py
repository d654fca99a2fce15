"""Models and samples as folders: tensors in safetensors, the rest in JSON, nothing unpickled."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advorch.artifacts import FORMAT, Signature, check_format
from advorch.canonical import Json
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.threat import Access, parse_box, plain_box

_WEIGHTS = "weights.safetensors"
_MODEL = "model.json"
_HISTORY = "history.json"
_SAMPLES = "samples.safetensors"
_DATA = "data.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """What it takes to build an architecture again, and what may be asked of it."""

    component: str
    params: Mapping[str, Json]
    signature: Signature
    access: Access
    label: str

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "component": self.component,
            "params": dict(self.params),
            "signature": self.signature.plain(),
            "access": self.access.value,
            "label": self.label,
        }

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> "ModelRecord":
        """Read back what `plain` wrote."""
        return cls(
            component=plain["component"],
            params=plain["params"],
            signature=Signature.parse(plain["signature"]),
            access=Access(plain["access"]),
            label=plain["label"],
        )


def write_model(folder: Path, module: nn.Module, record: ModelRecord) -> None:
    """Weights and record; a tensor that has several names is written once."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors, tied = untie(module.state_dict())
    save_file(tensors, folder / _WEIGHTS)
    write_json(folder / _MODEL, {"format": f"model/{FORMAT}", **record.plain(), "tied": tied})


def read_record(folder: Path) -> ModelRecord:
    """What the folder says of its model, without its weights."""
    return ModelRecord.parse(_read_plain(folder / _MODEL, "model"))


def read_model(folder: Path, build: Callable[[ModelRecord], nn.Module]) -> nn.Module:
    """Build the recorded architecture and give it the weights; every tensor must find its place."""
    plain = _read_plain(folder / _MODEL, "model")
    module = build(ModelRecord.parse(plain))
    tensors = load_file(folder / _WEIGHTS)
    state = tensors | {name: tensors[first] for name, first in plain["tied"].items()}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        fault = " ".join(str(error).split())
        hint = f"component '{plain['component']}' builds another architecture now than when the model was trained"
        raise StageFailed(f"the weights do not fit: {fault}", error_class=ErrorClass.USER, hint=hint) from error
    return module


def write_history(folder: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """What was measured after each epoch of a model's training, beside the model."""
    write_json(folder / _HISTORY, {"format": f"history/{FORMAT}", "epochs": [dict(metrics) for metrics in epochs]})


def read_history(folder: Path) -> tuple[Mapping[str, float], ...]:
    """An epoch each, from the first; of a model without a record there is none."""
    path = folder / _HISTORY
    return tuple(_read_plain(path, "history")["epochs"]) if path.is_file() else ()


def write_data(folder: Path, data: Data) -> None:
    """Samples with labels and ids."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"x": data.x, "y": data.y, "ids": data.ids}
    save_file({name: _apart(tensor) for name, tensor in tensors.items()}, folder / _SAMPLES)
    record = {"classes": list(data.classes), "box": plain_box(data.box), "vocabulary": list(data.vocabulary)}
    write_json(folder / _DATA, {"format": f"dataset/{FORMAT}", **record})


def read_data(folder: Path) -> Data:
    """Read back what `write_data` wrote."""
    plain = _read_plain(folder / _DATA, "dataset")
    tensors = load_file(folder / _SAMPLES)
    classes, vocabulary = tuple(plain["classes"]), tuple(plain["vocabulary"])
    return Data(**tensors, classes=classes, box=parse_box(plain["box"]), vocabulary=vocabulary)


def untie(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Whole, separate tensors in main memory, and which further names stand for the same one."""
    first: dict[tuple[Any, ...], str] = {}
    tied: dict[str, str] = {}
    for name, tensor in sorted(state.items()):
        spot = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride())
        original = first.setdefault((tensor.device, *spot), name) if tensor.numel() else name
        if original != name:
            tied[name] = original
    kept = {name: state[name] for name in sorted(state) if name not in tied}
    return {name: _apart(tensor) for name, tensor in kept.items()}, tied


def _apart(tensor: Tensor) -> Tensor:
    """A whole copy in main memory: safetensors takes no views and nothing twice."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def write_json(path: Path, plain: Mapping[str, Any]) -> None:
    """One spelling for equal values, so that equal content has equal digests."""
    path.write_text(json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def _read_plain(path: Path, name: str) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = json.loads(path.read_text())
    check_format(plain["format"], name)
    return plain


__all__ = [
    "ModelRecord", "read_data", "read_history", "read_model", "read_record", "untie", "write_data", "write_history",
    "write_json", "write_model",
]  # fmt: skip
