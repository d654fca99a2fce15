"""What the replay of a journal asks of whoever records it, and of whoever holds the results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from advorch.artifacts import Artifact
from advorch.canonical import Json

if TYPE_CHECKING:
    from torch import nn

PIPELINE = ""


class Unreachable(Exception):
    """The recorder cannot be reached now; the same may work later."""


class Refused(Exception):
    """The recorder does not take this, and never will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A run to be found or opened: of a cell, or of the whole pipeline."""

    cell: str
    parent: str | None
    name: str
    at: float
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric."""

    name: str
    value: float
    step: int
    at: float


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that a cell read, by name and content."""

    name: str
    digest: str
    port: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model to be logged so that it loads without advorch."""

    name: str
    digest: str
    module: "nn.Module"
    shape: tuple[int, ...]


class Recorder(Protocol):
    """Keeps runs by cell address; everything may be told twice and counts once."""

    def begin(self) -> bool:
        """Find what is there of this run; whether anything is."""

    def open(self, opening: Opening) -> None:
        """Find or open the run of a cell."""

    def known(self, cell: str) -> bool:
        """Whether the run of a cell was found or opened."""

    def params(self, cell: str, params: Mapping[str, str]) -> None:
        """Record parameters."""

    def points(self, cell: str, points: Sequence[Point]) -> None:
        """Record metrics."""

    def tags(self, cell: str, tags: Mapping[str, str]) -> None:
        """Set tags."""

    def ending(self, cell: str, points: Sequence[Point], tags: Mapping[str, str]) -> None:
        """Record the last metrics and tags, in one call where that is possible: a sweep has hundreds of endings."""

    def datasets(self, cell: str, datasets: Iterable[Dataset]) -> None:
        """Record which data a cell read."""

    def files(self, cell: str, folder: Path, place: str) -> None:
        """Record every file of a folder under a place."""

    def has_model(self, cell: str, name: str, digest: str) -> bool:
        """Whether a model was logged whole already."""

    def model(self, cell: str, model: LoggedModel) -> None:
        """Record a model."""

    def close(self, cell: str, status: str, at: float) -> None:
        """End the run of a cell as FINISHED, FAILED or KILLED."""


class Library(Protocol):
    """Where the results of finished cells can be read."""

    def outputs(self, key: str) -> Mapping[str, Artifact]:
        """The outputs of a key by port; empty when they are gone."""

    def lay_out(self, artifact: Artifact, into: Path) -> Path:
        """The files of an artifact in a folder."""

    def build(self, artifact: Artifact) -> "tuple[nn.Module, tuple[int, ...]]":
        """The module of a model artifact with its weights, and the shape of one sample."""


def digests(inputs: Mapping[str, Json]) -> dict[str, str]:
    """The content digests behind each port, joined by commas where there are several."""
    return {port: ",".join(_digest(item) for item in _several(value)) for port, value in inputs.items()}


def _several(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _digest(item: Json) -> str:
    return str(item.get("digest", "")) if isinstance(item, Mapping) else str(item)


def datasets(inputs: Mapping[str, Json], produced: Mapping[str, str]) -> list[Dataset]:
    """The inputs that are data: those said to be, and digests that no cell of the run produced."""
    return [
        Dataset(_name(item, port), _digest(item), port)
        for port, value in inputs.items()
        for item in _several(value)
        if _is_data(item, produced)
    ]


def _is_data(item: Json, produced: Mapping[str, str]) -> bool:
    if isinstance(item, Mapping) and "type" in item:
        return item["type"] in ("dataset", "samples", "adversarial")
    return bool(_digest(item)) and _digest(item) not in produced


def _name(item: Json, port: str) -> str:
    return str(item.get("name") or port) if isinstance(item, Mapping) else port
