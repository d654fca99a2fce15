"""Where events go: the journal first, then whoever else watches."""

import logging
import threading
from typing import Protocol

from advorch.events import Event

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes events from any thread."""

    def emit(self, event: Event) -> None:
        """Take one event; must be quick."""

    def close(self) -> None:
        """No more events follow."""


class Fanout:
    """Hands each event to the journal, whose errors are the run's, then to watchers, whose errors are their own."""

    def __init__(self, journal: Sink, *watchers: Sink) -> None:
        self._journal = journal
        self._watchers = list(watchers)
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Pass an event on, one at a time and to all in the same order."""
        with self._lock:
            self._journal.emit(event)
            for watcher in tuple(self._watchers):
                self._show(watcher, event)

    def close(self) -> None:
        """Close the watchers, then the journal; what they do last may still read it."""
        with self._lock:
            for watcher in self._watchers:
                self._close(watcher)
            self._journal.close()

    def _show(self, watcher: Sink, event: Event) -> None:
        try:
            watcher.emit(event)
        except Exception:  # a watcher must never end a run
            log.exception("%s failed at '%s' and is no longer told", type(watcher).__name__, event.name)
            self._watchers.remove(watcher)
            self._close(watcher)

    def _close(self, watcher: Sink) -> None:
        try:
            watcher.close()
        except Exception:  # a watcher must never end a run
            log.exception("%s failed to close", type(watcher).__name__)
