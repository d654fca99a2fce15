"""The driver's end of a cell's channel: reports become events, printed lines a file."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from advorch.engine.channel import NOTHING
from advorch.events import CellProgressed, CellReported, Event
from advorch.tracking.files import log_file

Echo = Callable[[str, str], None]  # takes a cell and a line that it printed


def no_echo(cell: str, line: str) -> None:
    """For a run that nobody follows from elsewhere."""


class LoggedChannel:
    """Keeps what a cell prints in `logs/`, one file a cell, and tells the rest."""

    def __init__(self, cell: str, folder: Path, emit: Callable[[Event], None], echo: Echo = no_echo) -> None:
        self._cell = cell
        self._emit = emit
        self._echo = echo
        self._path = log_file(folder, cell)
        self._lock = threading.Lock()

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics of a step that is done."""
        self._emit(CellReported(cell=self._cell, step=step, metrics=metrics))

    def progress(self, done: int, total: int, shares: Mapping[str, float] = NOTHING) -> None:
        """How far the work is."""
        self._emit(CellProgressed(cell=self._cell, done=done, total=total, metrics=shares))

    def log(self, text: str) -> None:
        """Append a line with its time."""
        line = f"{time.strftime('%H:%M:%S')} {text}"
        self._echo(self._cell, line)
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
