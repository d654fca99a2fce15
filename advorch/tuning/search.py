"""What a searcher is asked and told."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from advorch.canonical import Json


class TrialState(StrEnum):
    """How a trial ended."""

    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a trial: raw values, whichever way is better.

    `objectives` stand in the order of the file and may hold NaN. A violation is at most 0 where its constraint holds.
    `reports` are steps and values of the scheduler's metric: by them a trial is judged that was stopped.
    """

    state: TrialState
    objectives: tuple[float, ...] = ()
    violations: tuple[float, ...] = ()
    reports: tuple[tuple[int, float], ...] = ()


class Searcher(Protocol):
    """Chooses the next values; the same asks and tells in the same order give the same values."""

    def ask(self) -> Mapping[str, Json] | None:
        """The next values by dimension, without those whose `when` is false; None when there are no more."""

    def tell(self, number: int, outcome: Outcome) -> None:
        """What came of an ask; asks are counted from 0."""
