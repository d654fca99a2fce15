"""A perturbation that was fitted over a data set: its tensors, how it is applied, and what it was made for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file, save_file
from torch import Tensor

from advorch.artifacts import FORMAT, Signature, check_format
from advorch.canonical import Json
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.codecs import write_json

_TENSORS: Final = "perturbation.safetensors"
_RECORD: Final = "perturbation.json"


class Kind(StrEnum):
    """How a perturbation meets a sample."""

    UNIVERSAL = "universal"
    """Added, and cut to the ball."""
    PATCH = "patch"
    """Pasted anywhere, at any angle and size of a law."""
    STICKER = "sticker"
    """Pasted where its mask says, on the object that the sample shows."""
    TEXTURE = "texture"
    """The whole surface of an object: it replaces the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What a fit makes: `pattern` (channels, rows, columns or any shape of a sample), and `mask` where there is one.

    `how` is all that it takes to apply it, as JSON.
    """

    kind: Kind
    pattern: Tensor
    mask: Tensor | None = None
    original: Tensor | None = None
    how: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A print with its record. `target` and `source` are classes, `model` and `data` content digests."""

    print: Print
    component: str
    settings: Mapping[str, Json]
    signature: Signature
    target: int | None
    source: int | None
    label: str
    model: str
    data: str

    @property
    def name(self) -> str:
        """What tables call it: its method, its size where it has one, and whose it is."""
        size = f" {self.print.how['norm']} eps {self.print.how['epsilon']:g}" if "epsilon" in self.print.how else ""
        aim = "" if self.target is None else f" to {self.signature.classes[self.target]}"
        return f"{self.component.partition('/')[2]}{size}{aim} for {self.label}"


def write_fitted(folder: Path, fitted: Fitted) -> None:
    """Tensors and record."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {name: getattr(fitted.print, name) for name in ("pattern", "mask", "original")}
    parts: dict[str, Tensor] = {name: part for name, part in named.items() if part is not None}
    save_file(
        {name: part.detach().to("cpu", copy=True).contiguous() for name, part in parts.items()}, folder / _TENSORS
    )
    record = {
        "format": f"perturbation/{FORMAT}",
        "kind": fitted.print.kind.value,
        "how": dict(fitted.print.how),
        "component": fitted.component,
        "settings": dict(fitted.settings),
        "signature": fitted.signature.plain(),
        **{name: getattr(fitted, name) for name in ("target", "source", "label", "model", "data")},
    }
    write_json(folder / _RECORD, record)


def read_fitted(folder: Path) -> Fitted:
    """Read back what `write_fitted` wrote."""
    record: Mapping[str, Any] = json.loads((folder / _RECORD).read_text())
    check_format(record["format"], "perturbation")
    tensors = load_file(folder / _TENSORS)
    return Fitted(
        print=Print(kind=Kind(record["kind"]), how=record["how"], **tensors),
        signature=Signature.parse(record["signature"]),
        **{name: record[name] for name in ("component", "settings", "target", "source", "label", "model", "data")},
    )


def check_kind(fitted: Fitted, *kinds: Kind) -> Fitted:
    """The same, if it is of a kind that the caller can use."""
    if fitted.print.kind not in kinds:
        wanted = " or a ".join(kind.value for kind in kinds)
        message = f"'{fitted.component}' made a {fitted.print.kind.value}, and this takes a {wanted}"
        raise StageFailed(message, error_class=ErrorClass.USER)
    return fitted
