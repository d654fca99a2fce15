"""Where work is done: this process, or Ray. The driver sees only this."""

from collections.abc import Mapping
from typing import Protocol

from advorch.engine.channel import Channel
from advorch.engine.slots import Slots
from advorch.engine.task import Produced, Task


class Control(Protocol):
    """What a back end may ask of the cell that it works for."""

    channel: Channel

    def stopping(self) -> bool:
        """Whether the cell was asked to stop."""

    def overdue(self) -> bool:
        """Whether the cell has used up its time."""

    def committed(self) -> frozenset[str]:
        """The names of the chunks of a map task that are committed already."""


class Backend(Protocol):
    """Runs tasks; called from one thread a running cell."""

    name: str

    def capacity(self) -> Mapping[str, float]:
        """What there is to hold, by resource name (cpu, gpu); `slots` bounds the cells at a time."""

    def serve(self, slots: Slots) -> None:
        """From now on tell these slots what comes and goes, and see to what waits for more than there is."""

    def fit(self, task: Task, control: Control) -> Produced:
        """A whole fit, from its newest checkpoint."""

    def map(self, task: Task, control: Control) -> Produced:
        """Every missing chunk, then the merge."""

    def rest(self) -> None:
        """Let go of what is idle: another run, on the same cluster, may need it for what we wait for."""

    def close(self) -> None:
        """Let go of everything that was started."""
