"""Warm workers by the resources they hold, lent to cells and kept for the next."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from advorch.engine.ray.hold import Hold

Handle = Any


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A live actor and what it holds."""

    handle: Handle
    hold: Hold
    hired: float = field(default_factory=time.monotonic)


class Staff(Protocol):
    """How workers come and go."""

    def hire(self, hold: Hold) -> Handle:
        """Start a worker that holds so much."""

    def fire(self, handle: Handle) -> None:
        """End a worker."""

    def is_alive(self, handle: Handle) -> bool:
        """Whether an idle worker still answers."""


class Pool:
    """Counts the cluster's resources over busy workers, idle workers and gangs."""

    def __init__(self, staff: Staff, free: Hold) -> None:
        self._staff = staff
        self._total = free
        self._free = free
        self._idle: dict[Worker, float] = {}  # in the order in which they came back, and when
        self._cravings: dict[Hold, int] = {}
        self._changed = threading.Condition()
        self._waiting = 0

    def lend(self, hold: Hold, stopping: Callable[[], bool]) -> Worker | None:
        """A worker, waiting for room if there is none; None when the run is being stopped."""
        with self._changed:
            self._waiting += 1
            try:
                while not stopping():
                    if worker := self._take(hold):
                        return worker
                    self._changed.wait(0.2)
            finally:
                self._waiting -= 1
        return None

    def lend_spare(self, hold: Hold) -> Worker | None:
        """A worker only if nobody waits for the room."""
        with self._changed:
            return None if self._waiting else self._take(hold)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for room, so that spare workers should go back."""
        return self._waiting > 0

    def give_back(self, worker: Worker) -> None:
        """Keep the worker warm for the next cell."""
        with self._changed:
            self._idle[worker] = time.monotonic()
            self._changed.notify_all()

    def discard(self, worker: Worker) -> None:
        """The worker is dead, or must be."""
        self._staff.fire(worker.handle)
        with self._changed:
            self._free = self._free.plus(worker.hold)
            self._changed.notify_all()

    def reserve(self, hold: Hold, stopping: Callable[[], bool]) -> bool:
        """Room for a gang, made by letting idle workers go."""
        with self._changed:
            self._waiting += 1
            try:
                while not stopping():
                    if self._make_room(hold):
                        self._free = self._free.minus(hold)
                        return True
                    self._changed.wait(0.2)
            finally:
                self._waiting -= 1
        return False

    def unreserve(self, hold: Hold) -> None:
        """The gang has ended."""
        with self._changed:
            self._free = self._free.plus(hold)
            self._changed.notify_all()

    def resize(self, total: Hold) -> None:
        """Nodes came or went; idle workers make up for what is no longer there."""
        with self._changed:
            self._free = self._free.plus(total.minus(self._total))
            self._total = total
            while self._idle and not Hold(0, 0).fits(self._free):
                self._let_go(next(iter(self._idle)))
            self._changed.notify_all()

    def crave(self, hold: Hold, workers: int) -> None:
        """So many more workers would have work, and have had for a while."""
        with self._changed:
            self._cravings[hold] = workers

    def cravings(self) -> dict[Hold, int]:
        """Workers that the cluster has no room for, since this was last asked."""
        with self._changed:
            cravings, self._cravings = self._cravings, {}
        return cravings

    def dismiss_idle(self, longer_than: float = 0.0) -> None:
        """Let every worker go that has been idle for so many seconds."""
        with self._changed:
            before = time.monotonic() - longer_than
            for worker in [worker for worker, since in self._idle.items() if since <= before]:
                self._let_go(worker)

    def _let_go(self, worker: Worker) -> None:
        del self._idle[worker]
        self._staff.fire(worker.handle)
        self._free = self._free.plus(worker.hold)

    def _take(self, hold: Hold) -> Worker | None:
        for worker in [worker for worker in self._idle if worker.hold == hold]:
            if self._staff.is_alive(worker.handle):
                del self._idle[worker]
                return worker
            self._let_go(worker)  # dead, or without room since a node went
        if not self._make_room(hold):
            return None
        self._free = self._free.minus(hold)
        return Worker(self._staff.hire(hold), hold)

    def _make_room(self, hold: Hold) -> bool:
        whole = self._free
        for worker in self._idle:
            whole = whole.plus(worker.hold)
        if not hold.fits(whole):
            return False
        while not hold.fits(self._free):
            self._let_go(next(iter(self._idle)))
        return True
