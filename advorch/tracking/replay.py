"""The journal of a run, told from a cursor on: at least once, in order, and with patience."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from advorch.artifacts import check_format
from advorch.events import CellReported
from advorch.tracking.files import replace_text
from advorch.tracking.journal import FILE, Entry, read
from advorch.tracking.recorder import Unreachable
from advorch.tracking.story import Story

CURSOR_FILE = "mlflow.cursor.json"
FORMAT = "cursor/1"
BATCH = 1000
POLL = 0.2
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a run has been told; the file is replaced whole, so a crash repeats at most one group."""

    path: Path

    def read(self) -> int:
        """The byte in the journal up to which everything is recorded."""
        try:
            values = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):  # after a power cut it may be empty: told again counts once
            return 0
        check_format(values["format"], "cursor", 1)
        return int(values["offset"])

    def write(self, offset: int) -> None:
        """Remember how far we are."""
        replace_text(self.path, json.dumps({"format": FORMAT, "offset": offset}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long to go on, in terms of things that a test can replace."""

    over: Callable[[], bool]
    patience: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


class Replay:
    """One pass over a run. `timing.over()` says that no more will be written."""

    def __init__(self, folder: Path, story: Story, timing: Timing) -> None:
        self._journal = folder / FILE
        self._cursor = Cursor(folder / CURSOR_FILE)
        self._story = story
        self._timing = timing
        self._met = False

    def run(self) -> bool:
        """Tell all there is until the run is over; False when nobody listened for too long after that."""
        heard, pause, reached = self._timing.clock(), FIRST_PAUSE, -1
        while True:
            over = self._timing.over()
            try:
                told = self._tell()
            except Unreachable as error:
                log.warning("not reachable: %s", error)
                self._met = False
                if self._cursor.read() != reached:  # something went through since the last time
                    heard, pause, reached = self._timing.clock(), FIRST_PAUSE, self._cursor.read()
                if over and self._timing.clock() - heard > self._timing.patience:
                    return False
                self._timing.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if over and not told:
                return True
            heard, pause = self._timing.clock(), FIRST_PAUSE
            if not told:
                self._timing.sleep(POLL)

    def _tell(self) -> bool:
        """Tell what is new, group by group; whether there was anything."""
        if not self._met:
            self._meet()
        start = offset = self._cursor.read()
        while batch := self._batch(offset):
            for group in _groups(batch):
                self._story.tell(group)
                offset = group[-1].offset
                self._cursor.write(offset)
        return offset != start

    def _batch(self, offset: int) -> list[Entry]:
        return list(islice(read(self._journal, offset), BATCH)) if self._journal.exists() else []

    def _meet(self) -> None:
        """Find what was told before; whoever knows nothing of the run hears it from the start."""
        if not self._story.begin():
            self._cursor.write(0)
        offset = self._cursor.read()
        for entry in read(self._journal) if offset else ():
            if entry.offset > offset:
                break
            self._story.remember(entry)
        self._met = True


def _groups(batch: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Reports that follow each other together, everything else by itself."""
    for reported, entries in groupby(batch, key=lambda entry: isinstance(entry.event, CellReported)):
        if reported:
            yield list(entries)
        else:
            yield from ([entry] for entry in entries)
