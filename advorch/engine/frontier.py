"""Which cells have nothing left to wait for, kept by counting instead of by searching."""

from collections import defaultdict
from collections.abc import Mapping

from advorch.plan.cells import Cell


class Frontier:
    """Cells that have not been looked at yet, and the edge of those that may be."""

    def __init__(self, cells: Mapping[str, Cell]) -> None:
        self._cells = cells
        self._left = {
            address: set((cell.after | cell.optional_after) & cells.keys()) for address, cell in cells.items()
        }
        self._followers: dict[str, list[str]] = defaultdict(list)
        for address, blockers in self._left.items():
            for blocker in blockers:
                self._followers[blocker].append(address)
        self._open = [address for address, blockers in self._left.items() if not blockers]

    def ended(self, address: str) -> None:
        """A cell has ended, however; those that waited for it alone are open now."""
        for follower in self._followers.pop(address, ()):
            self._left[follower].discard(address)
            if not self._left[follower]:
                self._open.append(follower)

    def take_open(self) -> list[Cell]:
        """The open cells, each handed out once, in the order in which they opened."""
        taken, self._open = self._open, []
        for address in taken:
            del self._left[address]
        return [self._cells[address] for address in taken]

    def untouched(self) -> list[Cell]:
        """The cells that were never handed out."""
        return [self._cells[address] for address in self._left]

    def __bool__(self) -> bool:
        return bool(self._open)
