"""Bars with ETA on a terminal; the text above them is the same as without one."""

import threading
import time
from typing import TYPE_CHECKING, TextIO

from advorch.events import CellFinished, CellProgressed, CellReported, CellStarted, Event, RunFinished, Status
from advorch.tracking.addresses import level, line_of, parent_of
from advorch.tracking.lines import Narrator, metric_words
from advorch.tracking.searches import value_words

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STYLES = {
    Status.DONE: "green",
    Status.CACHED: "dim",
    Status.FAILED: "bold red",
    Status.STOPPED: "yellow",
    Status.PRUNED: "dim",
}


class LiveConsole:
    """One bar a running cell, sweep or trial, and none for a cell inside a trial; lines scroll by above.

    Rich is loaded when the first cell starts.
    """

    def __init__(self, stream: TextIO, *, color: bool = True) -> None:
        self._stream = stream
        self._color = color
        self._narrator = Narrator()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Move a bar or print a line."""
        with self._lock:
            if isinstance(event, (CellReported, CellProgressed)):
                self._move(event)
                return
            if isinstance(event, CellStarted):
                self._add(event)
                return
            self._settle(event)
            line = self._narrator.line(event)
            if isinstance(event, CellFinished) and level(event.cell) == 1:
                self._count(event.cell)
            if line:
                self._print(line, event)

    def close(self) -> None:
        """Take the bars away and give the cursor back."""
        with self._lock:
            self._stop()

    def _add(self, event: CellStarted) -> None:
        line = self._narrator.line(event)
        if self._progress is None:
            self._progress = open_progress(self._stream, self._color)
            self._progress.start()
        if level(event.cell) > 1:
            self._move(event)
            return
        if event.cell not in self._tasks:
            note = " ".join(value_words(event.params, 3)) if level(event.cell) else ""
            self._tasks[event.cell] = self._progress.add_task(event.cell, total=None, note=note)
        if level(event.cell):
            self._count(event.cell)
            if line:
                self._print(line, event)

    def _count(self, trial: str) -> None:
        """Move the bar of the sweep of a trial."""
        tale, task = self._narrator.searches.of(trial), self._tasks.get(parent_of(trial) or "")
        if task is not None and self._progress is not None:
            self._progress.update(task, completed=tale.done, total=tale.budget, note=tale.best_words())

    def _move(self, event: CellStarted | CellReported | CellProgressed) -> None:
        bar = line_of(event.cell)[:2][-1]
        task, inner = self._tasks.get(bar), event.cell[len(bar) + 1 :]
        if task is None or self._progress is None:
            return
        self._narrator.line(event)
        words = [inner] if inner else []
        if isinstance(event, CellProgressed):
            note = " ".join([*words, *metric_words(event.metrics, 2)])
            self._progress.update(task, completed=event.done, total=event.total, note=note)
        elif isinstance(event, CellReported):
            note = " ".join([*words, f"step {event.step}", *metric_words(event.metrics, 2)])
            self._progress.update(task, note=note)
        else:
            self._progress.update(task, completed=0, total=None, note=inner)

    def _settle(self, event: Event) -> None:
        if isinstance(event, CellFinished) and self._progress is not None:
            task = self._tasks.pop(event.cell, None)
            if task is not None:
                self._progress.remove_task(task)
        if isinstance(event, RunFinished):
            self._stop()

    def _print(self, line: str, event: Event) -> None:
        line = f"[{time.strftime('%H:%M:%S')}] {line}"
        if self._progress is None:
            self._stream.write(f"{line}\n")
            self._stream.flush()
            return
        style = STYLES.get(event.status) if isinstance(event, CellFinished) else None
        self._progress.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def open_progress(stream: TextIO, color: bool) -> "Progress":
    """Name, bar, count, time left, last metrics."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Progress(*columns, console=Console(file=stream, no_color=not color), transient=True, refresh_per_second=5)
