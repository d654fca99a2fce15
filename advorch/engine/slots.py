"""Who may run now: the cluster's resources and the pipeline's own limits, counted in one place."""

import math
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GANG = "workers"  # how large a gang a back end can form
TURNS = "turns"  # how many cells a back end takes at a time, whatever they hold

Request = Mapping[str, float]
NOTHING: Final[Request] = MappingProxyType({})


class Slots:
    """A counted supply; a request is granted whole or not at all."""

    def __init__(self, capacity: Mapping[str, float], limits: Mapping[str, float] = NOTHING) -> None:
        self._limits = dict(limits)
        self._capacity = {**limits, **self._limited(capacity)}
        self._most = dict(self._capacity)
        self._free = dict(self._capacity)
        self._grows = False
        self._wishes: dict[frozenset[tuple[str, float]], int] = {}
        self._lock = threading.Condition()

    def take(self, request: Request) -> bool:
        """Grant the request if everything it names is free; names without a capacity are unlimited."""
        with self._lock:
            if any(amount > self._free.get(name, amount) + 1e-9 for name, amount in request.items()):
                return False
            self._add(request, -1)
            return True

    def give(self, request: Request) -> None:
        """Return what was taken."""
        with self._lock:
            self._add(request, +1)
            self._lock.notify_all()

    def wait(self, seconds: float) -> None:
        """Until something was returned, or so long."""
        with self._lock:
            self._lock.wait(seconds)

    def room(self, request: Request) -> int:
        """How many such requests fit at a time, if all were free; at least one."""
        counts = [
            self._capacity[name] / amount for name, amount in request.items() if name in self._capacity and amount
        ]
        return max(1, math.floor(min(counts, default=1) + 1e-9))

    def resize(self, capacity: Mapping[str, float], most: Mapping[str, float], *, grows: bool) -> None:
        """There is more or less now, and so much there may yet be; the limits stay."""
        with self._lock:
            for name, amount in self._limited(capacity).items():
                self._free[name] = self._free.get(name, 0.0) + amount - self._capacity.get(name, 0.0)
                self._capacity[name] = amount
            self._most.update(self._limited(most))
            self._grows = grows
            self._lock.notify_all()

    def wish(self, request: Request, cells: int) -> None:
        """So many cells wait for this; whoever can make the cluster grow asks for it."""
        with self._lock:
            short = {name for name, amount in request.items() if amount > self._free.get(name, amount) + 1e-9}
            if not any(self._capacity[name] >= limit for name, limit in self._limits.items() if name in short):
                self._wishes[frozenset(request.items())] = cells

    def wishes(self) -> dict[frozenset[tuple[str, float]], int]:
        """What was wished for since this was last asked."""
        with self._lock:
            wishes, self._wishes = self._wishes, {}
        return wishes

    def lacks(self, request: Request) -> bool:
        """Whether there is not so much even when all is free."""
        with self._lock:
            return any(amount > self._capacity.get(name, amount) + 1e-9 for name, amount in request.items())

    def never(self, request: Request) -> str:
        """Why the request could not be granted even if all were free, or nothing."""
        with self._lock:
            short = [(n, a) for n, a in request.items() if a > self._most.get(n, a) + 1e-9]
            return ", ".join(f"{_shown(n, amount)} of {_shown(n, self._capacity[n])}" for n, amount in short)

    def lacking(self, request: Request) -> str:
        """What a request waits for, such as `2 gpu, 1 gpu free`."""
        with self._lock:
            short = [(n, a) for n, a in request.items() if n in self._free and a > self._free[n] + 1e-9]
            return "; ".join(self._lack(name, amount) for name, amount in short if name not in (TURNS, GANG))

    def _limited(self, amounts: Mapping[str, float]) -> dict[str, float]:
        return {name: min(amount, self._limits.get(name, amount)) for name, amount in amounts.items()}

    def _lack(self, name: str, amount: float) -> str:
        has = self._capacity[name]
        if amount <= has + 1e-9:
            return f"{_shown(name, amount)}, {_shown(name, max(0.0, self._free[name]))} free"
        hope = "and may grow" if self._grows else "and had more before"
        return f"{_shown(name, amount)}: the cluster has {_shown(name, has) if has else 'none'} now, {hope}"

    def _add(self, request: Request, sign: int) -> None:
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
