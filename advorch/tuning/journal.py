"""The journal of a search: what was asked, reported and found, one record after the other, for good."""

import logging
from collections.abc import Mapping
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
    """Records in the store, committed in one piece before anything follows from them.

    What was asked waits for the next record to be committed with: were it lost, the searcher would draw the same again.
    """

    def __init__(self, partials: Partials) -> None:
        self._partials = partials
        self._next = 0
        self._waiting: list[Record] = []

    def read(self) -> list[Record]:
        """Everything so far; what follows a damaged commit is dropped with it, for it was decided knowing it."""
        expected = len(self._partials.names())
        commits = self._commits()
        found = [record for commit in commits for record in commit]
        self._next = len(commits)
        if len(commits) < expected:
            self._begin_anew(found)
        return found

    def look(self) -> list[Record]:
        """Everything up to the first damaged commit, without dropping anything: another run may be writing."""
        return [record for commit in self._commits() for record in commit]

    def write(self, record: Record) -> None:
        """Commit one more, with those that waited."""
        self._waiting.append(record)
        if isinstance(record, Asked):
            return
        try:
            self._commit()
        except BaseException:
            self._waiting.pop()  # or it would stand there twice when it is written again
            raise

    def drop(self) -> None:
        """Forget the search."""
        self._partials.drop()
        self._next = 0
        self._waiting = []

    def _commits(self) -> list[list[Record]]:
        found: list[list[Record]] = []
        with scratch() as folder:
            for name in self._partials.names():
                records = self._decoded(name, folder / name)
                if records is None:
                    break
                found.append(records)
        return found

    def _decoded(self, name: str, folder: Path) -> list[Record] | None:
        try:
            plain: Mapping[str, Any] = self._partials.fetch(name, folder)
        except CorruptObject as error:
            log.warning("record %s of the search is damaged, and those behind it are left out: %s", name, error)
            return None
        check_format(plain["format"], "trials")
        return [decode(record) for record in plain["records"]]

    def _commit(self) -> None:
        records: list[Json] = [encode(record) for record in self._waiting]
        self._partials.commit(f"{self._next:09d}", {}, {"format": FORMAT, "records": records})
        self._next += 1
        self._waiting = []

    def _begin_anew(self, found: list[Record]) -> None:
        self.drop()
        self._waiting = list(found)
        if found:
            self._commit()


def encode(record: Record) -> dict[str, Json]:
    """As JSON."""
    kind = next(name for name, known in _KINDS.items() if isinstance(record, known))
    return {"kind": kind, **asdict(record)}


def decode(plain: Mapping[str, Any]) -> Record:
    """Read back what `encode` wrote."""
    values = {key: value for key, value in plain.items() if key != "kind"}
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
