"""A run told on one stream of text: its events and what its cells print, each a record of its own among other lines.

A record begins with the character 1E and ends with the line (RFC 7464), so that it is found again although whatever
else writes to the same file may have left half a line before it.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from advorch.events import CellProgressed, Event, plain
from advorch.tracking.journal import encode

SEPARATOR = "\x1e"
FORMAT = "stream/1"


class EventStream:
    """Writes records from any thread; each is one write, so that none is torn by another."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()

    def greet(self, host: str, version: str) -> None:
        """The first record: the driver lives, and where."""
        self._write({"hello": {"format": FORMAT, "host": host, "version": version}})

    def emit(self, event: Event) -> None:
        """An event as the journal has it; progress is left out there, too."""
        if not isinstance(event, CellProgressed):
            self._write(plain(event, self._clock()))

    def printed(self, cell: str, line: str) -> None:
        """A line that a cell printed."""
        self._write({"cell": cell, "text": line})

    def close(self) -> None:
        """The stream is not ours to close."""

    def _write(self, record: Mapping[str, Any]) -> None:
        ascii_only = json.dumps(json.loads(encode(record)), separators=(",", ":"))
        with self._lock:
            self._stream.write(f"{SEPARATOR}{ascii_only}\n")
            self._stream.flush()


def split(line: str) -> tuple[str, dict[str, Any] | None]:
    """What else stood on a line, and the record on it; a record that cannot be read counts as text."""
    text, separator, rest = line.partition(SEPARATOR)
    if not separator:
        return text, None
    try:
        record = json.loads(rest)
    except ValueError:
        return f"{text}{rest}", None
    return (text, record) if isinstance(record, dict) else (f"{text}{rest}", None)
