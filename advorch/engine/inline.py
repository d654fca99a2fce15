"""Everything in this process, one cell at a time: the debugger's friend, and the way to run without Ray."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from advorch.engine.backend import Control
from advorch.engine.bench import Bench, chunk_count, chunk_name
from advorch.engine.failures import classify
from advorch.engine.scratch import sweep
from advorch.engine.slots import GANG, TURNS, Slots
from advorch.engine.tally import SoFar
from advorch.engine.task import Produced, Task
from advorch.errors import CorruptObject, ErrorClass, InfrastructureError, StageFailed, Stopped


class InlineBackend:
    """A bench in the driver's own process."""

    name = "inline"

    def __init__(self, bench: Bench) -> None:
        sweep()
        self._bench = bench

    def capacity(self) -> Mapping[str, float]:
        """One cell at a time; what it asks for is not counted."""
        return {TURNS: 1, GANG: 1}

    def serve(self, slots: Slots) -> None:
        """Nothing comes or goes."""

    def fit(self, task: Task, control: Control) -> Produced:
        """A fit of one worker; a gang needs processes of its own."""
        if task.workers > 1:
            hint = "run it without `--executor inline`, or set `resources: {workers: 1}`"
            raise InfrastructureError(f"{task.cell} asks for {task.workers} workers; inline has one process", hint=hint)
        with _our_errors():
            return self._bench.fit(task, control.channel)

    def map(self, task: Task, control: Control) -> Produced:
        """Chunk after chunk."""
        with _our_errors():
            return until_whole(
                control, lambda: self._chunks(task, control), lambda: self._bench.reduce(task, control.channel)
            )

    def _chunks(self, task: Task, control: Control) -> None:
        count, size = self._bench.count(task, control.channel)
        committed, so_far = control.committed(), SoFar()
        for index in range(chunk_count(count, size)):
            if chunk_name(index) not in committed:
                check_interrupted(control, task)
                so_far.add(self._bench.chunk(task, index, control.channel))
            control.channel.progress(min((index + 1) * size, count), count, so_far.shares())

    def rest(self) -> None:
        """Nothing is held beside the cell that runs."""

    def close(self) -> None:
        """Drop the inputs that are still open."""
        self._bench.close()


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    """What a stage raises leaves as one of our errors, with the original behind it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        failure = classify(error)
        if failure is error:
            raise
        raise failure from error


def until_whole(control: Control, spread: Callable[[], None], merge: Callable[[], Produced]) -> Produced:
    """Spread and merge; a chunk that turned out corrupt was set aside by the store and is computed again."""
    for last in (False, False, True):
        spread()
        before = control.committed()
        try:
            return merge()
        except CorruptObject:
            if last or control.committed() == before:
                raise  # a disk that cannot be trusted, or an input instead of a chunk
    raise AssertionError("unreachable: the last round raises")


def check_interrupted(control: Control, task: Task) -> None:
    """Between chunks: stop if asked to, fail if the time is up."""
    if control.stopping():
        raise Stopped("asked to stop")
    if control.overdue():
        raise StageFailed(f"ran longer than its {task.seconds:g} s", error_class=ErrorClass.TIMEOUT)
