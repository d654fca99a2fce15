"""What a run says of itself: one small type an event, written to the journal as a JSON line."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, get_args

from advorch.canonical import Json

FORMAT = "journal/1"


class Status(StrEnum):
    """How a cell, or a whole run, ended."""

    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """First line of every journal."""

    name: ClassVar[str] = "run_started"
    run: str
    pipeline: str
    file: str
    profile: str
    executor: str
    storage: str
    version: str
    format: str = FORMAT
    tracking: Mapping[str, Json] = field(default_factory=dict)
    params: Mapping[str, Json] = field(default_factory=dict)
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStarted:
    """A cell missed the cache and its first or next attempt begins."""

    name: ClassVar[str] = "cell_started"
    cell: str
    stage: str
    component: str
    key: str
    attempt: int = 1
    params: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReported:
    """Metrics of one step of a running cell."""

    name: ClassVar[str] = "cell_reported"
    cell: str
    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProgressed:
    """How far a running cell is, and what it has found so far; never journalled, only shown."""

    name: ClassVar[str] = "cell_progressed"
    cell: str
    done: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRetried:
    """An attempt failed in a way that `retry:` covers; `most` is how many more the stage allows in all."""

    name: ClassVar[str] = "cell_retried"
    cell: str
    attempt: int
    error_class: str
    message: str
    delay: float
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWaiting:
    """A cell is held up, and by what."""

    name: ClassVar[str] = "cell_waiting"
    cell: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFinished:
    """A cell's end: outputs by port as digests, final metrics, or the reason why there are none.

    A cached cell never started, so its parameters and inputs stand here; others leave them to CellStarted.
    """

    name: ClassVar[str] = "cell_finished"
    cell: str
    stage: str
    component: str
    status: Status
    key: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    error_class: str = ""
    seconds: float = 0.0
    missing: tuple[str, ...] = ()
    params: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """Last line of a journal that ended in order."""

    name: ClassVar[str] = "run_finished"
    run: str
    exit_code: int
    seconds: float


Event: TypeAlias = (
    RunStarted | CellStarted | CellReported | CellProgressed | CellRetried | CellWaiting | CellFinished | RunFinished
)


def plain(event: Event, at: float) -> dict[str, Any]:
    """As one JSON object with the event's name and time."""
    return {"event": event.name, "at": at, **{item.name: getattr(event, item.name) for item in fields(event)}}


def parse(record: Mapping[str, Any]) -> Event:
    """Read back what `plain` wrote; fields that a newer version added are left aside."""
    kinds = {kind.name: kind for kind in get_args(Event)}
    kind = kinds[record["event"]]
    known = {item.name for item in fields(kind)}
    values = {key: value for key, value in record.items() if key in known}
    if "status" in values:
        values["status"] = Status(values["status"])
    for name in ("cells", "missing"):
        if name in values:
            values[name] = tuple(values[name])
    event: Event = kind(**values)
    return event
