"""Workers on loan to one task: borrowing, waiting for a call, and giving back or letting go."""

import logging
from typing import Any

from advorch.engine.backend import Control
from advorch.engine.channel import deliver
from advorch.engine.ray.calls import Call, is_loss
from advorch.engine.ray.pool import Hold, Pool, Worker
from advorch.engine.task import Task
from advorch.errors import ErrorClass, InfrastructureError, StageFailed, Stopped

log = logging.getLogger(__name__)


class Crew:
    """The pool and the mailbox, as one task sees them."""

    def __init__(self, pool: Pool, mailbox: Any, task: Task, control: Control) -> None:
        self.pool = pool
        self.task = task
        self.control = control
        self.hold = Hold(task.cpus, task.gpus, float(task.memory))
        self.mailbox = mailbox

    def borrow(self) -> Worker:
        """A worker, however long it takes to be free."""
        worker = self.pool.lend(self.hold, self.control.stopping)
        if worker is None:
            raise Stopped("stopped while waiting for a worker")
        return worker

    def finish(self, call: Call) -> Any:
        """The call's result, its messages played as they arrive."""
        while not call.ready(0.1):
            self.deliver()
            call.check_patience(self.task, self.control)
        self.deliver()
        return call.result()

    def deliver(self) -> None:
        """Play the messages that have arrived."""
        import ray

        try:
            messages = ray.get(self.mailbox.drain.remote(self.task.cell))
        except ray.exceptions.RayError as error:
            log.debug("the mailbox does not answer: %s", error)
            return
        for message in messages:
            deliver(message, self.control.channel)

    def part_with(self, worker: Worker, error: BaseException) -> None:
        """Keep a worker whose task merely failed; one that died, is stuck or is short of memory goes."""
        if _spoils_worker(error):
            self.pool.discard(worker)
        else:
            self.pool.give_back(worker)


def _spoils_worker(error: BaseException) -> bool:
    """Whether the worker is dead, may be stuck, or may be left without memory; or nobody knows."""
    if isinstance(error, StageFailed):
        return is_loss(error) or error.error_class in (ErrorClass.TIMEOUT, ErrorClass.OOM)
    return not isinstance(error, (Stopped, InfrastructureError))
