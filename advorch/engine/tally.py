"""What the chunks of a map that were computed here have found so far."""

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

Tally: TypeAlias = Mapping[str, tuple[int, int]]
"""Shares by name, as so many of so many."""


class SoFar:
    """Adds up tallies; chunks that an earlier run committed are not in it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()

    def add(self, tally: Tally) -> None:
        """One more chunk."""
        for name, (count, total) in tally.items():
            self._counts[name] += count
            self._totals[name] += total

    def shares(self) -> dict[str, float]:
        """The shares of all chunks so far."""
        return {name: self._counts[name] / total for name, total in self._totals.items() if total}
