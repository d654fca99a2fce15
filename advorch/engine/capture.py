"""What a stage prints and logs, sent down its channel as well as kept off the user's terminal."""

import contextlib
import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TextIO


class _LineWriter(io.TextIOBase):
    """A text stream that hands whole lines to a callable."""

    def __init__(self, send: Callable[[str], None], beneath: TextIO) -> None:
        self._send = send
        self._beneath = beneath
        self._rest = ""
        self._sending = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._sending:  # whoever receives lines may print, too
            return self._beneath.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._pass_on(line)
        return len(text)

    def _pass_on(self, line: str) -> None:
        self._sending = True
        try:
            self._send(line)
        finally:
            self._sending = False

    def flush_rest(self) -> None:
        """Send an unfinished last line."""
        if self._rest:
            self._pass_on(self._rest)
            self._rest = ""


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
