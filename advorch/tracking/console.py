"""Progress on stderr: lines where nobody looks on, bars on a terminal, failures alone when asked to be quiet."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from advorch.events import CellFinished, CellProgressed, CellReported, CellStarted, Event, Status
from advorch.tracking.addresses import is_own, line_of
from advorch.tracking.lines import Narrator, duration
from advorch.tracking.sinks import Sink

EVERY = 5.0


def open_console(stream: TextIO, environment: Mapping[str, str], *, quiet: bool = False) -> Sink:
    """The console that suits a stream: bars need a terminal that can, and no CI."""
    if quiet:
        return QuietConsole(stream)
    if stream.isatty() and not environment.get("CI") and environment.get("TERM") != "dumb":
        from advorch.tracking.live import LiveConsole

        return LiveConsole(stream, color=not environment.get("NO_COLOR"))
    return LineConsole(stream)


class QuietConsole:
    """Says what failed, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._narrator = Narrator()

    def emit(self, event: Event) -> None:
        """Write a line for a cell that failed; a trial may fail, and the search goes on."""
        if isinstance(event, CellFinished) and event.status is Status.FAILED and is_own(event.cell):
            self._stream.write(f"{self._narrator.line(event)}\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing is held."""


class LineConsole:
    """One line a change; a running cell, and all trials of a sweep together, speak at most once in `every` seconds."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.time, every: float = EVERY) -> None:
        self._stream = stream
        self._clock = clock
        self._narrator = Narrator()
        self._pace = Pace(every)
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write the line for an event, if it is time for it."""
        with self._lock:
            now = self._clock()
            line = self._line(event, now)
            if line:
                self._stream.write(f"[{time.strftime('%H:%M:%S', time.localtime(now))}] {line}\n")
                self._stream.flush()

    def close(self) -> None:
        """Nothing is held."""

    def _line(self, event: Event, now: float) -> str | None:
        if isinstance(event, CellStarted):
            self._pace.due(event.cell, now)
        if not isinstance(event, (CellReported, CellProgressed)):
            return self._narrator.line(event)
        line, rest = self._narrator.line(event), self._pace.remaining(event, now)
        if line is None or not self._pace.due(line_of(event.cell)[0], now):
            return None
        return f"{line}{rest}"


class Pace:
    """When a running cell may speak again, and when it will be done at the pace it had so far."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._spoke: dict[str, float] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def due(self, cell: str, now: float) -> bool:
        """Whether a cell may speak now; if so it has."""
        if now - self._spoke.get(cell, float("-inf")) < self._every:
            return False
        self._spoke[cell] = now
        return True

    def remaining(self, event: CellReported | CellProgressed, now: float) -> str:
        """The time that is left, in words."""
        if isinstance(event, CellReported):
            return ""
        began, done = self._first.setdefault(event.cell, (now, event.done))
        if event.done <= done or now <= began or event.done >= event.total:
            return ""
        left = (event.total - event.done) * (now - began) / (event.done - done)
        return f", {duration(left)} left"
