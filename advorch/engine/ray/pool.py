"""Warm workers by the resources they hold, lent to cells and kept for the next."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Handle = Any


@dataclass(frozen=True, slots=True)
class Hold:
    """What a worker holds of the cluster while it exists."""

    cpu: float
    gpu: float
    memory: float = 0

    def plus(self, other: "Hold") -> "Hold":
        """Both together."""
        return Hold(self.cpu + other.cpu, self.gpu + other.gpu, self.memory + other.memory)

    def minus(self, other: "Hold") -> "Hold":
        """What is left when the other is taken away."""
        return Hold(self.cpu - other.cpu, self.gpu - other.gpu, self.memory - other.memory)

    def fits(self, free: "Hold") -> bool:
        """Whether there is so much; sums of fractions may be off by a little."""
        return all(
            need <= have + 1e-9
            for need, have in ((self.cpu, free.cpu), (self.gpu, free.gpu), (self.memory, free.memory))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A live actor and what it holds."""

    handle: Handle
    hold: Hold


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
        self._free = free
        self._idle: list[Worker] = []
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
            self._idle.append(worker)
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

    def dismiss_idle(self) -> None:
        """Let every idle worker go."""
        with self._changed:
            while self._idle:
                worker = self._idle.pop()
                self._staff.fire(worker.handle)
                self._free = self._free.plus(worker.hold)

    def _take(self, hold: Hold) -> Worker | None:
        for worker in [worker for worker in self._idle if worker.hold == hold]:
            self._idle.remove(worker)
            if self._staff.is_alive(worker.handle):
                return worker
            self._free = self._free.plus(worker.hold)
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
            worker = self._idle.pop(0)
            self._staff.fire(worker.handle)
            self._free = self._free.plus(worker.hold)
        return True
