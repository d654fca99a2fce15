"""The journal of a run: one JSON object a line, appended and never rewritten."""

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from advorch.artifacts import check_format
from advorch.events import (
    CellFinished,
    CellProgressed,
    CellStarted,
    Event,
    RunFinished,
    RunStarted,
    Status,
    parse,
    plain,
)

FILE = "journal.jsonl"
NEWEST = 1
POLL = 0.2

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One line read back; `offset` is the byte after it, where the next reading may start."""

    offset: int
    event: Event
    at: float


def no_hook(name: str) -> None:
    """What a durable write calls when nobody watches."""


class Journal:
    """Appends events from any thread; turns that nothing else tells of are on disk before `emit` returns."""

    def __init__(
        self,
        folder: Path,
        *,
        on_durable: Callable[[str], None] = no_hook,
        clock: Callable[[], float] = time.time,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._on_durable = on_durable
        self._clock = clock
        self._lock = threading.Lock()
        self._file = self.path.open("ab")
        _cut_torn_tail(self.path)
        _sync_folder(folder)

    def emit(self, event: Event) -> None:
        """Append one event; progress is not kept."""
        if isinstance(event, CellProgressed):
            return
        with self._lock:
            if _is_turn(event):
                self._on_durable(f"journal.{event.name}.before")
                self._append(event)
                if _stands_alone(event):
                    os.fsync(self._file.fileno())
                self._on_durable(f"journal.{event.name}.after")
            else:
                self._append(event)

    def copy(self, record: Mapping[str, Any]) -> None:
        """Append an event as another journal has it, its time and what it carries besides included."""
        with self._lock:
            self._file.write(encode(record))
            self._file.flush()

    def close(self) -> None:
        """Close the file; a journal that has ended takes no more events."""
        with self._lock:
            self._file.close()

    def _append(self, event: Event) -> None:
        self._file.write(encode(plain(event, self._clock())))
        self._file.flush()


def _is_turn(event: Event) -> bool:
    """Whether the run takes a turn that it must survive a death at; what the cache answered can be asked again."""
    if isinstance(event, CellFinished):
        return event.status not in (Status.CACHED, Status.SKIPPED)
    return isinstance(event, (RunStarted, CellStarted, RunFinished))


def _stands_alone(event: Event) -> bool:
    """Whether nothing else tells of it: a cell that is done has its manifest on disk, one that began left nothing."""
    if isinstance(event, CellFinished):
        return event.status is not Status.DONE
    return not isinstance(event, CellStarted)


def encode(record: Mapping[str, Any]) -> bytes:
    """One line of strict JSON; numbers that JSON lacks are written as the words nan, inf and -inf."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_spelled(record), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _spelled(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(item) for item in value]
    return value


def decode(line: bytes) -> tuple[Event, float] | None:
    """The event of a line, or None for a kind that this version does not know."""
    record = json.loads(line)
    if record["event"] not in {kind.name for kind in get_args(Event)}:
        return None
    if "metrics" in record:
        record["metrics"] = {name: float(value) for name, value in record["metrics"].items()}
    event = parse(record)
    if isinstance(event, RunStarted):
        check_format(event.format, "journal", NEWEST)
    return event, float(record["at"])


def read(path: Path, start: int = 0) -> Iterator[Entry]:
    """Every whole line from a byte offset on; a torn last line is left for the next reading."""
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            entry = _entry(path, line, offset)
            if entry:
                yield entry


def _entry(path: Path, line: bytes, offset: int) -> Entry | None:
    try:
        found = decode(line)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s: the line that ends at byte %d is damaged and passed over: %r", path, offset, error)
        return None
    return Entry(offset, *found) if found else None


def follow(path: Path, stop: Callable[[], bool], *, start: int = 0, poll: float = POLL) -> Iterator[Entry]:
    """Every line as it is written, until `stop()` is true and nothing is left; waits for the file to appear."""
    offset = start
    while True:
        ending = stop()
        for entry in read(path, offset) if path.exists() else ():
            offset = entry.offset
            yield entry
        if ending:
            return
        time.sleep(poll)


def _cut_torn_tail(path: Path) -> None:
    """Drop half a line that a crash left, so that the next event starts a line of its own."""
    with path.open("rb+") as file:
        content_end = file.seek(0, os.SEEK_END)
        position = content_end
        while position and _byte_at(file, position - 1) != b"\n":
            position -= 1
        if position != content_end:
            file.truncate(position)


def _byte_at(file: Any, position: int) -> bytes:
    file.seek(position)
    return bytes(file.read(1))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
