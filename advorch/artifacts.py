"""The typed things that flow between stages; tensors in them are read and written by `advorch.kit.codecs`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from advorch.canonical import Json, digest
from advorch.errors import FormatTooNew
from advorch.threat import Box, parse_box, plain_box

FORMAT = 1


class ArtifactType(StrEnum):
    """What a port carries."""

    MODEL = "model"
    DATASET = "dataset"
    ADVERSARIAL = "adversarial"
    GENERATOR = "generator"
    SAMPLES = "samples"
    METRICS = "metrics"
    TABLE = "table"
    REPORT = "report"
    PERTURBATION = "perturbation"

    def feeds(self, port: "ArtifactType") -> bool:
        """Whether a thing of this type may enter a port of that type: samples and adversarials are datasets too."""
        datasets = (ArtifactType.DATASET, ArtifactType.SAMPLES, ArtifactType.ADVERSARIAL)
        return self is port or (port is ArtifactType.DATASET and self in datasets)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of an artifact, by content."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A committed output: its files by content and what a reader must know to open them."""

    type: ArtifactType
    files: Mapping[str, FileRecord]
    meta: Mapping[str, Json] = field(default_factory=dict)
    format: str = ""

    def __post_init__(self) -> None:
        if not self.format:
            object.__setattr__(self, "format", f"{self.type.value}/{FORMAT}")

    @property
    def digest(self) -> str:
        """The content digest that keys of later cells are made of."""
        return digest(self.plain())

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        files = {name: asdict(record) for name, record in sorted(self.files.items())}
        return {"type": self.type.value, "format": self.format, "files": files, "meta": dict(self.meta)}

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> "Artifact":
        """Read back what `plain` wrote; a newer format than ours is refused."""
        check_format(plain["format"], plain["type"])
        files = {name: FileRecord(**record) for name, record in plain["files"].items()}
        kind = ArtifactType(plain["type"])
        return cls(type=kind, files=files, meta=plain["meta"], format=plain["format"])


def check_format(found: str, name: str, newest: int = FORMAT) -> None:
    """Take format `name/N` and `name/N-1`; refuse newer ones by name."""
    label, _, number = found.partition("/")
    if label != name or not number.isdigit() or int(number) > newest:
        hint = "upgrade advorch, or recompute with this version"
        raise FormatTooNew(f"cannot read format '{found}': this advorch reads '{name}/{newest}' and older", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A finished output as a host hands it over: a folder of files that is not yet committed."""

    type: ArtifactType
    folder: Path
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a cell produced: its outputs by port, and its final metrics."""

    outputs: Mapping[str, Output]
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInput:
    """An input that an earlier cell committed, laid out as files in a local, read-only folder."""

    artifact: Artifact
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInput:
    """An input declared under `data:`; the worker loads it by its dataset component."""

    uses: str
    params: Mapping[str, Json]
    split: str
    digest: str


Input = StoredInput | DataInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model must know of its data: one sample's shape, the class names, the legal range of a value."""

    shape: tuple[int, ...]
    classes: tuple[str, ...]
    box: Box | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"shape": list(self.shape), "classes": list(self.classes), "box": plain_box(self.box)}

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> "Signature":
        """Read back what `plain` wrote."""
        return cls(shape=tuple(plain["shape"]), classes=tuple(plain["classes"]), box=parse_box(plain["box"]))
