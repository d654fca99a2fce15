"""What a stage prints and logs, sent down its channel as well as kept off the user's terminal."""

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO


class _LineWriter(io.TextIOBase):
    """A text stream that hands whole lines to a callable; threads of a stage may share it."""

    def __init__(self, send: Callable[[str], None], beneath: TextIO) -> None:
        self._send = send
        self._beneath = beneath
        self._rest = ""
        self._lock = threading.RLock()
        self._sending = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            if self._sending:  # by this very thread: whoever receives lines may print, too
                return self._beneath.write(text)
            *lines, self._rest = (self._rest + text).split("\n")
            self._pass_on(lines)
        return len(text)

    def flush_rest(self) -> None:
        """Send an unfinished last line."""
        with self._lock:
            if self._rest:
                self._pass_on([self._rest])
                self._rest = ""

    def _pass_on(self, lines: list[str]) -> None:
        self._sending = True
        try:
            for line in lines:
                self._send(line)
        finally:
            self._sending = False


@contextlib.contextmanager
def captured(send: Callable[[str], None]) -> Iterator[None]:
    """Send prints, warnings and log records of this process while inside."""
    writer = _LineWriter(send, sys.stderr)
    handler = logging.StreamHandler(writer)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with contextlib.redirect_stdout(writer), contextlib.redirect_stderr(writer):
            yield
    finally:
        root.removeHandler(handler)
        writer.flush_rest()
