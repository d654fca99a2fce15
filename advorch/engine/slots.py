"""Who may run now: the cluster's resources and the pipeline's own limits, counted in one place."""

import math
import threading
from collections.abc import Mapping

GANG = "workers"  # how large a gang a back end can form
TURNS = "turns"  # how many cells a back end takes at a time, whatever they hold


class Slots:
    """A counted supply; a request is granted whole or not at all."""

    def __init__(self, capacity: Mapping[str, float]) -> None:
        self._free = dict(capacity)
        self._capacity = dict(capacity)
        self._lock = threading.Condition()

    def take(self, request: Mapping[str, float]) -> bool:
        """Grant the request if everything it names is free; names without a capacity are unlimited."""
        with self._lock:
            if any(amount > self._free.get(name, amount) + 1e-9 for name, amount in request.items()):
                return False
            self._add(request, -1)
            return True

    def give(self, request: Mapping[str, float]) -> None:
        """Return what was taken."""
        with self._lock:
            self._add(request, +1)
            self._lock.notify_all()

    def wait(self, seconds: float) -> None:
        """Until something was returned, or so long."""
        with self._lock:
            self._lock.wait(seconds)

    def room(self, request: Mapping[str, float]) -> int:
        """How many such requests fit at a time, if all were free; at least one."""
        counts = [
            self._capacity[name] / amount for name, amount in request.items() if name in self._capacity and amount
        ]
        return max(1, math.floor(min(counts, default=1) + 1e-9))

    def never(self, request: Mapping[str, float]) -> str:
        """Why the request could not be granted even if all were free, or nothing."""
        short = [(n, a) for n, a in request.items() if a > self._capacity.get(n, a) + 1e-9]
        return ", ".join(f"{_shown(name, amount)} of {_shown(name, self._capacity[name])}" for name, amount in short)

    def lacking(self, request: Mapping[str, float]) -> str:
        """What a request waits for, such as `2 gpu, 1 free`."""
        with self._lock:
            short = [(n, a, self._free[n]) for n, a in request.items() if n in self._free and a > self._free[n] + 1e-9]
        return "; ".join(
            f"{_shown(name, amount)}, {_shown(name, free)} free"
            for name, amount, free in short
            if name not in (TURNS, GANG)
        )

    def _add(self, request: Mapping[str, float], sign: int) -> None:
        for name, amount in request.items():
            if name in self._free:
                self._free[name] += sign * amount


class Underway:
    """Keys that are being computed in this process, so that equal cells wait for one instead of holding room."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, key: str) -> bool:
        """Whether nobody computes the key yet; if so it is ours."""
        with self._lock:
            if key in self._keys:
                return False
            self._keys.add(key)
            return True

    def end(self, key: str) -> None:
        """The key has a manifest now, or its computation failed."""
        with self._lock:
            self._keys.discard(key)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._keys


def _shown(name: str, amount: float) -> str:
    return f"{amount / 2**30:.3g} GiB" if name == "memory" else f"{amount:g} {name}"
