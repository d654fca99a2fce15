"""Everything in this process, one cell at a time: the debugger's friend, and the way to run without Ray."""

from collections.abc import Mapping

from advorch.engine.backend import Control
from advorch.engine.bench import Bench, chunk_count, chunk_name
from advorch.engine.task import Produced, Task
from advorch.errors import ErrorClass, InfrastructureError, StageFailed, Stopped


class InlineBackend:
    """A bench in the driver's own process."""

    name = "inline"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def capacity(self) -> Mapping[str, float]:
        """One cell at a time; what it asks for is not counted."""
        return {"slots": 1}

    def fit(self, task: Task, control: Control) -> Produced:
        """A fit of one worker; a gang needs processes of its own."""
        if task.workers > 1:
            hint = "run it without `--executor inline`, or set `resources: {workers: 1}`"
            raise InfrastructureError(f"{task.cell} asks for {task.workers} workers; inline has one process", hint=hint)
        return self._bench.fit(task, control.channel)

    def map(self, task: Task, control: Control) -> Produced:
        """Chunk after chunk."""
        count, size = self._bench.count(task, control.channel)
        total, committed = chunk_count(count, size), control.committed()
        for index in range(total):
            if chunk_name(index) not in committed:
                check_interrupted(control, task)
                self._bench.chunk(task, index, control.channel)
            control.channel.progress(min((index + 1) * size, count), count)
        return self._bench.reduce(task, control.channel)

    def close(self) -> None:
        """Drop the inputs that are still open."""
        self._bench.close()


def check_interrupted(control: Control, task: Task) -> None:
    """Between chunks: stop if asked to, fail if the time is up."""
    if control.stopping():
        raise Stopped("asked to stop")
    if control.overdue():
        raise StageFailed(f"ran longer than its {task.seconds:g} s", error_class=ErrorClass.TIMEOUT)
