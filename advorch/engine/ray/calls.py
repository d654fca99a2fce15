"""One call to an actor: waiting for it with patience, and what its errors mean."""

import time
from typing import Any

from advorch.engine.backend import Control
from advorch.engine.failures import classify
from advorch.engine.task import Task
from advorch.errors import ErrorClass, StageFailed

# A worker checks its time at every report; one that has not reported so long after is taken to be stuck.
GRACE_SECONDS = 15.0


class Call:
    """A pending result."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref
        self._late_since: float | None = None

    def ready(self, seconds: float) -> bool:
        """Whether the call has ended, waiting that long."""
        import ray

        done, _ = ray.wait([self._ref], timeout=seconds)
        return bool(done)

    def check_patience(self, task: Task, control: Control) -> None:
        """Fail a call whose worker has ignored its timeout for longer than the grace."""
        if not control.overdue():
            return
        self._late_since = self._late_since or time.monotonic()
        if time.monotonic() - self._late_since > GRACE_SECONDS:
            raise StageFailed(
                f"ran longer than its {task.seconds:g} s and did not answer", error_class=ErrorClass.TIMEOUT
            )

    def result(self) -> Any:
        """The value, or the error in our own words."""
        import ray

        try:
            return ray.get(self._ref)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            raise classify(cause) from None
        except ray.exceptions.RayError as error:
            raise classify(error) from error


def is_loss(error: BaseException) -> bool:
    """Whether the worker is gone, rather than its task at fault."""
    return isinstance(error, StageFailed) and error.error_class in (ErrorClass.NODE_LOST, ErrorClass.PREEMPTED)
