"""Who may run now: the cluster's resources and the pipeline's own limits, counted in one place."""

import threading
from collections.abc import Mapping

GANG = "workers"  # how large a gang a back end can form
TURNS = "turns"  # how many cells a back end takes at a time, whatever they hold


class Slots:
    """A counted supply; a request is granted whole or not at all."""

    def __init__(self, capacity: Mapping[str, float]) -> None:
        self._free = dict(capacity)
        self._capacity = dict(capacity)
        self._lock = threading.Lock()

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


def _shown(name: str, amount: float) -> str:
    return f"{amount / 2**30:.3g} GiB" if name == "memory" else f"{amount:g} {name}"
