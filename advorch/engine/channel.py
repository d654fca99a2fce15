"""How a worker speaks to the driver while it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


class Channel(Protocol):
    """One way, small messages; a lost one costs a line on the screen and nothing else."""

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics of a step that is done."""

    def progress(self, done: int, total: int, shares: Mapping[str, float] = NOTHING) -> None:
        """How far the work is, and what it has found so far."""

    def log(self, text: str) -> None:
        """What the work printed."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A message from `report`."""

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Progressed:
    """A message from `progress`."""

    done: int
    total: int
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logged:
    """A message from `log`."""

    text: str


Message = Reported | Progressed | Logged


@dataclass(frozen=True, slots=True)
class PostingChannel:
    """A channel that hands each message to one callable."""

    post: Callable[[Message], None]

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.post(Reported(step, dict(metrics)))

    def progress(self, done: int, total: int, shares: Mapping[str, float] = NOTHING) -> None:
        self.post(Progressed(done, total, dict(shares)))

    def log(self, text: str) -> None:
        self.post(Logged(text))


def deliver(message: Message, channel: Channel) -> None:
    """Play a message that crossed a process border into a channel on this side."""
    if isinstance(message, Reported):
        channel.report(message.step, message.metrics)
    elif isinstance(message, Progressed):
        channel.progress(message.done, message.total, message.shares)
    else:
        channel.log(message.text)
