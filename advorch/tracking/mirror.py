"""The folder of a run that is driven elsewhere, kept up with the output of its driver."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from advorch.tracking.files import log_file, replace_text
from advorch.tracking.journal import FILE, Journal
from advorch.tracking.stream import split

STATE_FILE = "mirror.json"
LOCK_FILE = "mirror.lock"
OUTPUT_FILE = "driver.log"


class Mirror:
    """Journal, logs and output, written from whole lines in their order; lines that were taken once are passed over.

    An event carries the number of its line in the journal, so that a mirror that was killed takes none twice.
    """

    def __init__(self, folder: Path, lock: TextIO) -> None:
        self._folder = folder
        self._lock = lock
        self._journal = Journal(folder)
        self._taken = int(read_state(folder).get("line", 0))
        self._journalled = _last_line_number(folder / FILE)
        self._hello = read_state(folder).get("hello")
        self.begin()

    @classmethod
    def open(cls, folder: Path) -> "Mirror | None":
        """The mirror of a run; None while another process keeps it."""
        lock = (folder / LOCK_FILE).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        return cls(folder, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._journal.close()
        self._lock.close()  # and with it the lock

    def begin(self) -> None:
        """The output is about to be read from its start."""
        self._number = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take a piece of the output; half a line waits for its end."""
        before = self._taken
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._number += 1
            if self._number > self._taken:
                self._take(line)
                self._taken = self._number
        if self._taken != before:
            state = {"format": "mirror/1", "line": self._taken, "hello": self._hello}
            replace_text(self._folder / STATE_FILE, json.dumps(state))

    def _take(self, line: str) -> None:
        text, record = split(line)
        if text.strip():
            _append(self._folder / OUTPUT_FILE, text)
        if record is not None:
            self._record(record)

    def _record(self, record: Mapping[str, Any]) -> None:
        if "hello" in record:
            self._hello = record["hello"]
        elif "event" in record and self._number > self._journalled:
            self._journal.copy({**record, "line": self._number})
        elif "cell" in record and "text" in record:
            path = log_file(self._folder, str(record["cell"]))
            path.parent.mkdir(exist_ok=True)
            _append(path, str(record["text"]))


def read_state(folder: Path) -> dict[str, Any]:
    """How far the mirror of a run is, and what its driver said of itself when it began."""
    try:
        found: dict[str, Any] = json.loads((folder / STATE_FILE).read_text())
    except FileNotFoundError:
        return {}
    return found


def driver_output(folder: Path, last: int) -> list[str]:
    """The last lines of what the driver wrote besides records."""
    try:
        return (folder / OUTPUT_FILE).read_text(encoding="utf-8").split("\n")[:-1][-last:]
    except FileNotFoundError:
        return []


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _last_line_number(journal: Path) -> int:
    last = b""
    with journal.open("rb") as file:
        for line in file:
            last = line
    return int(json.loads(last).get("line", 0)) if last else 0
