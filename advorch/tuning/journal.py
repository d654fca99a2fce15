"""The journal of a search: what was asked, reported and found, one record after the other, for good."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from advorch.artifacts import check_format
from advorch.canonical import Json
from advorch.engine.scratch import scratch
from advorch.errors import CorruptObject
from advorch.store.api import Partials
from advorch.tuning.search import Outcome, TrialState

FORMAT = "trials/1"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The searcher gave these values to a new trial."""

    number: int
    values: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A trial has done a step; `key` is that of the cell that did it."""

    number: int
    step: int
    value: float
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of a trial; `elapsed` is what the whole search had used by then."""

    number: int
    outcome: Outcome
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    gpu_seconds: float = 0.0
    elapsed: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The search was told that no trial would be added for now."""

    trials: int


Record: TypeAlias = Asked | Reported | Ended | Closed

_KINDS: Mapping[str, type[Asked] | type[Reported] | type[Ended] | type[Closed]] = MappingProxyType(
    {"asked": Asked, "reported": Reported, "ended": Ended, "closed": Closed}
)


class Journal:
    """Records by number in the store, each committed in one piece before anything follows from it."""

    def __init__(self, partials: Partials) -> None:
        self._partials = partials
        self._next = 0

    def read(self) -> list[Record]:
        """Everything so far; what follows a damaged record is dropped with it, for it was decided knowing it."""
        expected = len(self._partials.names())
        found = self.look()
        if len(found) < expected:
            self._begin_anew(found)
        self._next = len(found)
        return found

    def look(self) -> list[Record]:
        """Everything up to the first damaged record, without dropping anything: another run may be writing."""
        found: list[Record] = []
        with scratch() as folder:
            for name in self._partials.names():
                record = self._record(name, folder / name)
                if record is None:
                    break
                found.append(record)
        return found

    def write(self, record: Record) -> None:
        """Commit one more."""
        self._partials.commit(f"{self._next:09d}", {}, encode(record))
        self._next += 1

    def drop(self) -> None:
        """Forget the search."""
        self._partials.drop()
        self._next = 0

    def _record(self, name: str, folder: Path) -> Record | None:
        try:
            return decode(self._partials.fetch(name, folder))
        except CorruptObject as error:
            log.warning("record %s of the search is damaged, and those behind it are left out: %s", name, error)
            return None

    def _begin_anew(self, found: list[Record]) -> None:
        self.drop()
        for record in found:
            self.write(record)


def encode(record: Record) -> dict[str, Json]:
    """As JSON."""
    kind = next(name for name, known in _KINDS.items() if isinstance(record, known))
    return {"format": FORMAT, "kind": kind, **asdict(record)}


def decode(plain: Mapping[str, Any]) -> Record:
    """Read back what `encode` wrote."""
    check_format(plain["format"], "trials")
    values = {key: value for key, value in plain.items() if key not in ("format", "kind")}
    if plain["kind"] == "ended":
        values["outcome"] = _outcome(values["outcome"])
    return _KINDS[plain["kind"]](**values)


def _outcome(plain: Mapping[str, Any]) -> Outcome:
    return Outcome(
        state=TrialState(plain["state"]),
        objectives=tuple(plain["objectives"]),
        violations=tuple(plain["violations"]),
        reports=tuple((int(step), float(value)) for step, value in plain["reports"]),
    )


def ended(records: list[Record]) -> Iterator[Ended]:
    """The ends among the records."""
    return (record for record in records if isinstance(record, Ended))
