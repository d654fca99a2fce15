"""Cells that may run as soon as there is room for them."""

import heapq
import itertools
from collections.abc import Iterator, Mapping

from advorch.plan.cells import Settled

Request = Mapping[str, float]


class Line:
    """Cells that ask for the same: what is refused to the first is refused to all behind it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.refused = False
        self.cells: dict[str, tuple[int, Settled]] = {}
        self._newcomers: list[Settled] = []

    def join(self, arrival: int, settled: Settled) -> None:
        """Stand at the end."""
        self.cells[settled.cell.address] = (arrival, settled)
        self._newcomers.append(settled)

    def newcomers(self) -> list[Settled]:
        """Those who still stand here and came since this was last asked."""
        came, self._newcomers = self._newcomers, []
        return [settled for settled in came if settled.cell.address in self.cells]

    def walk(self) -> "Iterator[tuple[int, Line, Settled]]":
        """From the front, until the line is refused."""
        for arrival, settled in tuple(self.cells.values()):
            if self.refused:
                return
            yield arrival, self, settled


class Ready:
    """Every ready cell, in one line for each kind of request; a look at all of them costs what the lines cost."""

    def __init__(self) -> None:
        self._lines: dict[frozenset[tuple[str, float]], Line] = {}
        self._arrivals = itertools.count()

    def add(self, settled: Settled, request: Request) -> None:
        """Line a cell up with those that ask for the same."""
        line = self._lines.setdefault(frozenset(request.items()), Line(request))
        line.join(next(self._arrivals), settled)

    def remove(self, settled: Settled) -> None:
        """The cell runs, or will not need to."""
        for request, line in self._lines.items():
            if line.cells.pop(settled.cell.address, None):
                if not line.cells:
                    del self._lines[request]
                return

    def in_turn(self) -> Iterator[tuple[Line, Settled]]:
        """By arrival; a line that is marked as refused meanwhile is passed over from then on."""
        for line in self._lines.values():
            line.refused = False
        for _, line, settled in heapq.merge(*(line.walk() for line in self._lines.values())):
            yield line, settled

    def equal(self, key: str) -> list[Settled]:
        """The cells that have this key."""
        return [settled for line in self._lines.values() for _, settled in line.cells.values() if settled.key == key]

    def __iter__(self) -> Iterator[Settled]:
        everyone = itertools.chain.from_iterable(line.cells.values() for line in self._lines.values())
        return (settled for _, settled in sorted(everyone, key=lambda pair: pair[0]))

    def __bool__(self) -> bool:
        return bool(self._lines)
