"""A fit of several workers: Ray Train launches them, our own checkpoints carry them."""

import os
import tempfile
import threading
import time
from typing import Any, cast

from advorch.engine.bench import Bench
from advorch.engine.failures import classify
from advorch.engine.group import Gang
from advorch.engine.ray.calls import GRACE_SECONDS
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.mailbox import Posting
from advorch.engine.ray.pool import Hold
from advorch.engine.surroundings import collective_backend
from advorch.engine.task import Produced, Task
from advorch.errors import AdvorchError, ErrorClass, StageFailed, Stopped
from advorch.store.opening import open_store


def run_gang(crew: Crew) -> Produced:
    """Reserve the room, launch, and listen until rank 0 has handed over its outputs."""
    task = crew.task
    hold = Hold(task.cpus * task.workers, task.gpus * task.workers, float(task.memory * task.workers))
    if not crew.pool.reserve(hold, crew.control.stopping):
        raise Stopped("stopped while waiting for workers")
    try:
        return _GangRun(crew).run()
    finally:
        crew.pool.unreserve(hold)


class _GangRun:
    """One launch; the trainer blocks, so it has a thread of its own."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._task = crew.task
        self._control = crew.control
        self._error: BaseException | None = None
        self._produced: Produced | None = None

    def run(self) -> Produced:
        launch = threading.Thread(target=self._launch, name=f"gang {self._task.cell}", daemon=True)
        launch.start()
        while launch.is_alive():
            launch.join(0.2)
            self._crew.deliver()
            if self._control.overdue():
                open_store(self._task.store).raise_flag(_kill_flag(self._task))
        self._crew.deliver()
        if self._produced is not None:
            return self._produced
        raise self._failure()

    def _launch(self) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        with tempfile.TemporaryDirectory(prefix="advorch-gang-") as folder:
            trainer = TorchTrainer(
                _rank_main,
                train_loop_config={"task": self._task, "mailbox": self._crew.mailbox},
                torch_config=TorchConfig(backend=collective_backend(self._task.gpus)),
                scaling_config=ScalingConfig(
                    num_workers=self._task.workers,
                    use_gpu=self._task.gpus > 0,
                    resources_per_worker=_resources(self._task),
                ),
                run_config=RunConfig(
                    name=f"{self._task.key[:16]}-{time.time_ns()}",
                    storage_path=folder,
                    failure_config=FailureConfig(max_failures=0),
                ),
            )
            try:
                self._produced = cast("Any", trainer.fit()).return_value
            except BaseException as error:  # noqa: BLE001  judged by the cell's thread
                self._error = error

    def _failure(self) -> AdvorchError:
        if self._control.overdue():
            return StageFailed(f"ran longer than its {self._task.seconds:g} s", error_class=ErrorClass.TIMEOUT)
        if self._error is None:
            return StageFailed("the gang ended without outputs", error_class=ErrorClass.NODE_LOST)
        own = [error for error in _unwrapped(self._error) if isinstance(error, AdvorchError)]
        if own:
            return own[0]
        return classify(_unwrapped(self._error)[-1])


def _rank_main(config: dict[Any, Any]) -> Any:
    """What each rank runs; errors leave it as ours."""
    task: Task = config["task"]
    posting = Posting(config["mailbox"], task.cell)
    group = Gang(_device(task))
    threading.Thread(target=_watch, args=(task,), daemon=True, name="watchdog").start()
    try:
        return Bench().fit(task, posting.channel, group)
    except Exception as error:  # noqa: BLE001  what leaves a rank is one of our errors
        raise classify(error) from None
    finally:
        posting.flush()


def _device(task: Task) -> str:
    """Ray Train shows every rank of a node all of its GPUs; which is whose, it alone knows."""
    if not task.gpus:
        return "cpu"
    import torch
    from ray.train.torch import get_device

    device = get_device()
    torch.cuda.set_device(device)
    return str(device)


def _watch(task: Task) -> None:
    """End this rank if the driver says that time is up and no report has noticed."""
    store = open_store(task.store)
    while not store.flag(_kill_flag(task)):
        time.sleep(1.0)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _kill_flag(task: Task) -> str:
    return f"kill/{task.run}/{task.key}"


def _resources(task: Task) -> dict[str, float]:
    resources = {"CPU": task.cpus, "GPU": task.gpus, "memory": float(task.memory)}
    return {name: amount for name, amount in resources.items() if amount}


def _unwrapped(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps: Ray Train nests the ranks' errors in its own."""
    found: list[BaseException] = []
    stack = [error]
    while stack:
        item = stack.pop()
        found.append(item)
        failures = getattr(item, "worker_failures", None)
        inner = [*failures.values()] if isinstance(failures, dict) else []
        inner += [getattr(item, name, None) for name in ("_base_exc", "__cause__", "cause", "training_failed_error")]
        stack.extend(e for e in inner if isinstance(e, BaseException) and e not in found)
    return found
