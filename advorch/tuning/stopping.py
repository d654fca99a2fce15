"""What a rule of early stopping is told, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from advorch.canonical import Json


class Verdict(StrEnum):
    """What becomes of a trial that has just reported."""

    GO = "go"
    STOP = "stop"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Exploit:
    """Go on from the newest checkpoint of the donor, with these values."""

    donor: int
    values: Mapping[str, Json]


class Stopping(Protocol):
    """Decides by reports which trials go on; the same calls in the same order give the same answers."""

    def added(self, trial: int, values: Mapping[str, Json]) -> None:
        """A trial begins."""

    def reported(self, trial: int, step: int, value: float) -> Verdict | Exploit:
        """The metric after a step; at the scheduler's `max` and beyond a trial goes on: it has all it is to have."""

    def ended(self, trial: int, step: int, value: float | None) -> None:
        """A trial completed by itself, or failed (None); one that was told to stop need not be named again."""

    def freed(self) -> tuple[list[int], list[int]]:
        """Of the paused trials those that may go on, and those that are over; each is named once."""

    def closed(self) -> None:
        """No trial will be added for now: whoever waits for more company need not."""
