"""One thread for all that must be done again and again, however many they are."""

import time
from threading import Lock, Thread
from typing import Protocol


class Beating(Protocol):
    """What must be done again in time."""

    def beat(self) -> None:
        """Do it once more; called from the heart's thread, at most once after its removal."""


class Heart:
    """Beats each an interval after it was added or beaten last; its thread comes with the first, goes when idle."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due: dict[Beating, float] = {}  # in order of time, because all wait equally long
        self._lock = Lock()
        self._thread: Thread | None = None

    def add(self, beating: Beating) -> None:
        """Begin to beat it."""
        with self._lock:
            self._due[beating] = time.monotonic() + self._interval
            if self._thread is None or not self._thread.is_alive():  # a fork has the thread's name alone
                self._thread = Thread(target=self._run, name="advorch-heartbeat", daemon=True)
                self._thread.start()

    def remove(self, beating: Beating) -> None:
        """Leave it alone from now on."""
        with self._lock:
            self._due.pop(beating, None)

    def _run(self) -> None:
        idle = False
        while True:
            with self._lock:
                if idle and not self._due:
                    self._thread = None
                    return
                beating, wait = self._next()
                idle = not self._due
            if beating is not None:
                beating.beat()
            else:
                time.sleep(wait)

    def _next(self) -> tuple[Beating | None, float]:
        """Whose time has come, or how long to wait."""
        now = time.monotonic()
        for beating, due in self._due.items():
            if due > now:
                return None, due - now
            del self._due[beating]
            self._due[beating] = now + self._interval
            return beating, 0.0
        return None, self._interval
