"""Ctrl-C once asks the run to stop, twice ends it at once; SIGTERM likewise."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self, TextIO

HANDLED = (signal.SIGINT, signal.SIGTERM)


def interrupt(number: int) -> None:
    """What a second signal does to a program that is not ours alone, such as a notebook."""
    raise KeyboardInterrupt


def leave(number: int) -> None:
    """What a second signal does to the command line; a private Ray ends with its driver."""
    os._exit(128 + number)


class Signals:
    """Handlers for as long as a run lasts; Python allows them in the main thread only."""

    def __init__(self, stream: TextIO, at_second: Callable[[int], None]) -> None:
        self.stop = threading.Event()
        self._stream = stream
        self._at_second = at_second
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in HANDLED}
        self.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def install(self) -> None:
        """Take the signals; again after Ray has started, which takes SIGTERM for itself."""
        for number in self._before:
            signal.signal(number, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.stop.is_set():
            self._at_second(number)
        self.stop.set()
        self._stream.write("\nstopping: running stages commit what they have; once more to end at once\n")
        self._stream.flush()
