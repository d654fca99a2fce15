"""What a stage costs over the bare call of its function: stages that do nothing, inline and on warm Ray actors.

    python benchmarks/dispatch.py [--quick] [--json out.json]

Imports and the start of Ray are left out: the clock runs from the end of an early stage to the end of the last. Inline
runs are made with the store on the disk and in memory, to tell what `fsync` costs. On Ray the bare call is made on
the same warm actor at the end of the same run; one run has a single stage at a time, one as many as there are CPUs.
"""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal
from unittest import mock

import psutil
from files import no_ops
from measuring import LAB, Figure, Stand, command, stand

import advorch
from advorch.engine.driver import Policy
from advorch.engine.ray.backend import RayBackend
from advorch.engine.ray.hold import Hold
from advorch.session.running import Options
from advorch.session.workspace import Workspace

MEMORY = Path("/dev/shm")
BARE_CALLS = 300
MILLI = 1e3
Executor = Literal["inline", "ray"]


@dataclass
class Watch:
    """Reads the clocks at the end of an early stage and of the last; told by the journal's durable operations."""

    early: int
    last: int
    finished: int = 0
    wall: float = 0.0
    cpu: float = 0.0

    def __call__(self, operation: str) -> None:
        if operation != "journal.cell_finished.after":
            return
        self.finished += 1
        if self.finished in (self.early, self.last):
            sign = 1 if self.finished == self.last else -1
            self.wall += sign * time.perf_counter()
            self.cpu += sign * _cpu_of_all()

    def per_stage(self, seconds: float) -> float:
        """In milliseconds."""
        return seconds / (self.last - self.early) * MILLI


def _cpu_of_all() -> float:
    """CPU seconds of this process and of everything below it that lives."""
    return sum(map(_cpu, [psutil.Process(), *psutil.Process().children(recursive=True)]))


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class Syncs:
    """Seconds spent in `fsync` by this process, which commits all that stages without outputs leave."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._real = os.fsync
        self._patch = mock.patch("os.fsync", self._timed)

    def __enter__(self) -> "Syncs":
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()

    def _timed(self, descriptor: int) -> None:
        started = time.perf_counter()
        self._real(descriptor)
        self.seconds += time.perf_counter() - started
        self.count += 1


class TimedRay(RayBackend):
    """Ray as a run uses it; before it ends, a warm worker is asked for nothing, many times."""

    bare: ClassVar[float] = 0.0

    def close(self) -> None:
        import ray

        worker = self._pool.lend(Hold(1, 0, 0), lambda: False)
        assert worker is not None
        times = []
        for _ in range(BARE_CALLS):
            started = time.perf_counter()
            ray.get(worker.handle.__ray_call__.remote(lambda _: None))
            times.append(time.perf_counter() - started)
        TimedRay.bare = statistics.median(times) * MILLI
        self._pool.give_back(worker)
        super().close()


def run(at: Stand, executor: Executor, watch: Watch, jobs: int | None = None) -> None:
    """Run stages that do nothing in a store of their own; none of them may fail or be found."""
    planned = advorch.load(no_ops(at.folder, watch.last), workspace=Workspace(at.folder / "home")).plan()
    options = Options(executor=executor, policy=Policy(jobs=jobs), quiet=True, on_durable=watch)
    with mock.patch("advorch.engine.ray.backend.RayBackend", TimedRay):
        planned.run(options).check()
    assert watch.finished == watch.last


def inline(quick: bool) -> list[Figure]:
    """On the disk, then in memory."""
    count, bare = (200 if quick else 1000), _bare_function()
    figures = [Figure(what="bare call of the stage's function", value=bare, unit="ms")]
    for name, parent in [("disk", None), *([("memory", MEMORY)] if _is_memory(MEMORY) else [])]:
        with stand(parent=parent) as at, Syncs() as syncs:
            run(at, "inline", watch := Watch(early=10, last=count))
        wall, cpu = watch.per_stage(watch.wall), watch.per_stage(watch.cpu)
        share = f"{syncs.count / count:.1f} fsyncs a stage, {syncs.seconds / count * MILLI:.2f} ms of the wall time"
        title = f"inline, {count} stages, store on {name}"
        figures += [
            Figure(what=f"{title}: CPU over the bare call", value=cpu - bare, unit="ms/stage", goal=4.0),
            Figure(what=f"{title}: wall over the bare call", value=wall - bare, unit="ms/stage", note=share),
        ]
    return figures


def _bare_function() -> float:
    """Milliseconds of one call of what the stage runs."""
    from advorch_lab import NoParams
    from advorch_lab.walk import nothing

    context: Any = None  # the stage does not look at it
    params, calls = NoParams(), 10_000
    started = time.perf_counter()
    for _ in range(calls):
        nothing(context, params)
    return (time.perf_counter() - started) / calls * MILLI


def _is_memory(folder: Path) -> bool:
    return any(part.mountpoint == str(folder) and part.fstype == "tmpfs" for part in psutil.disk_partitions(all=True))


def on_ray(quick: bool) -> list[Figure]:
    """One stage at a time for what each costs, then as many as there is room for."""
    figures = []
    for title, jobs, count in [("one at a time", 1, 100 if quick else 300), ("all CPUs", None, 200 if quick else 1000)]:
        with stand() as at, Syncs() as syncs:
            run(at, "ray", watch := Watch(early=count // 5, last=count), jobs)
        wall, cpu, bare = watch.per_stage(watch.wall), watch.per_stage(watch.cpu), TimedRay.bare
        name = f"warm Ray, {count} stages, {title}"
        share = f"bare call {bare:.2f} ms; fsync {syncs.seconds / count * MILLI:.2f} ms a stage"
        figures += [
            Figure(what=f"{name}: wall over the bare call", value=wall - bare, unit="ms/stage", goal=10.0, note=share),
            Figure(what=f"{name}: CPU of all processes", value=cpu, unit="ms/stage"),
        ]
    return figures


def measure(quick: bool) -> list[Figure]:
    """Inline first: it needs no Ray."""
    show_lab()
    return [*inline(quick), *on_ray(quick)]


def show_lab() -> None:
    """To this process and to Ray's workers."""
    import sys

    sys.path.insert(0, str(LAB))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(LAB), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


if __name__ == "__main__":
    command("dispatch", __doc__, measure)
