"""Workers on loan to one task: borrowing, waiting for a call, and giving back or letting go."""

import logging
import time
from typing import Any

from advorch.engine.backend import Control
from advorch.engine.channel import deliver
from advorch.engine.ray.calls import Call, is_loss
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.pool import Pool, Worker
from advorch.engine.ray.staff import ANSWER_SECONDS
from advorch.engine.task import Task
from advorch.errors import ErrorClass, InfrastructureError, StageFailed, Stopped

log = logging.getLogger(__name__)


class Crew:
    """The pool and the mailbox, as one task sees them."""

    def __init__(self, pool: Pool, mailbox: Any, task: Task, control: Control, head: Head) -> None:
        self.pool = pool
        self.task = task
        self.control = control
        self.hold = Hold(task.cpus, task.gpus, float(task.memory), task.placement)
        self.mailbox = mailbox
        self.head = head

    def borrow(self) -> Worker:
        """A worker, however long it takes to be free."""
        worker = self.pool.lend(self.hold, self.giving_up)
        if worker is None:
            self.head.check()
            raise Stopped("stopped while waiting for a worker")
        return worker

    def giving_up(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self.head.is_lost or self.control.stopping()

    def finish(self, call: Call) -> Any:
        """The call's result, its messages played as they arrive."""
        began = time.monotonic()
        while not call.ready(_between_looks(time.monotonic() - began)):
            self.deliver()
            call.check_patience(self.task, self.control)
        self.deliver()
        return call.result()

    def deliver(self) -> None:
        """Play the messages that have arrived."""
        import ray

        self.head.check()
        try:
            messages = ray.get(self.mailbox.drain.remote(self.task.cell), timeout=ANSWER_SECONDS)
        except ray.exceptions.RayError as error:
            log.debug("the mailbox does not answer: %s", error)
            return
        for message in messages:
            deliver(message, self.control.channel)

    def part_with(self, worker: Worker, error: BaseException) -> None:
        """Keep a worker whose task merely failed; one that died, is stuck or is short of memory goes."""
        if is_loss(error):
            self.head.explain()
        if _spoils_worker(error):
            self.pool.discard(worker)
        else:
            self.pool.give_back(worker)


def _between_looks(age: float) -> float:
    """Hundreds of cells look into one mailbox: what has run for long is looked at less often, up to once a second."""
    return min(1.0, 0.1 + age / 50)


def _spoils_worker(error: BaseException) -> bool:
    """Whether the worker is dead, may be stuck, or may be left without memory; or nobody knows."""
    if isinstance(error, StageFailed):
        return is_loss(error) or error.error_class in (ErrorClass.TIMEOUT, ErrorClass.OOM)
    return not isinstance(error, (Stopped, InfrastructureError))
