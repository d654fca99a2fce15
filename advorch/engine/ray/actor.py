"""The warm worker: a process with torch loaded that does one task after another."""

from collections.abc import Callable
from typing import Any, TypeVar

from advorch.engine.bench import Bench
from advorch.engine.channel import Channel
from advorch.engine.failures import classify
from advorch.engine.ray.mailbox import Posting
from advorch.engine.ray.orphans import end_with
from advorch.engine.tally import Tally
from advorch.engine.task import Produced, Task

T = TypeVar("T")


class WarmWorker:
    """A bench behind actor calls; what it raises is always one of our errors, which pickle."""

    def __init__(self, mailbox: Any) -> None:
        self._mailbox = mailbox
        self._bench = Bench()
        end_with(mailbox)

    def ping(self) -> None:
        """Show that the process is there."""

    def fit(self, task: Task) -> Produced:
        """A whole fit of one worker."""
        return self._speaking(task, lambda channel: self._bench.fit(task, channel))

    def count(self, task: Task) -> tuple[int, int]:
        """Samples, and samples a chunk."""
        return self._speaking(task, lambda channel: self._bench.count(task, channel))

    def chunk(self, task: Task, index: int) -> Tally:
        """One chunk, committed."""
        return self._speaking(task, lambda channel: self._bench.chunk(task, index, channel))

    def reduce(self, task: Task) -> Produced:
        """The merge."""
        return self._speaking(task, lambda channel: self._bench.reduce(task, channel))

    def _speaking(self, task: Task, work: Callable[[Channel], T]) -> T:
        posting = Posting(self._mailbox, task.cell)
        try:
            return work(posting.channel)
        except (Exception, SystemExit) as error:  # noqa: BLE001  what leaves a worker is one of our errors
            raise classify(error) from None
        finally:
            posting.flush()
