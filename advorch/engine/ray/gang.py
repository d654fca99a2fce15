"""A fit of several workers: Ray Train launches them, our own checkpoints carry them."""

import os
import tempfile
import threading
import time
from typing import Any, cast

from advorch.engine.bench import Bench
from advorch.engine.failures import classify
from advorch.engine.group import Gang
from advorch.engine.ray.blame import blamed
from advorch.engine.ray.calls import GRACE_SECONDS, is_loss
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.mailbox import Posting
from advorch.engine.ray.orphans import end_with
from advorch.engine.surroundings import collective_backend
from advorch.engine.task import Produced, Task
from advorch.errors import AdvorchError, ErrorClass, InfrastructureError, StageFailed, Stopped
from advorch.store.opening import open_store

START_SECONDS = 600.0


def run_gang(crew: Crew) -> Produced:
    """Reserve the room, launch, and listen until rank 0 has handed over its outputs."""
    task = crew.task
    hold = Hold(task.cpus * task.workers, task.gpus * task.workers, float(task.memory * task.workers))
    if not crew.pool.reserve(hold, crew.giving_up):
        crew.head.check()
        raise Stopped("stopped while waiting for workers")
    try:
        return Launch(crew).result()
    finally:
        crew.pool.unreserve(hold)


class Launch:
    """One attempt; the trainer blocks, so it has a thread of its own."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._task = crew.task
        self._store = open_store(crew.task.store)
        self._error: BaseException | None = None
        self._produced: Produced | None = None
        self._since = time.monotonic()

    def result(self) -> Produced:
        """What rank 0 committed, or the error of the rank that is to blame."""
        trainer = threading.Thread(target=self._train, name=f"gang {self._task.cell}", daemon=True)
        trainer.start()
        while trainer.is_alive():
            trainer.join(0.2)
            self._crew.deliver()
            self._look_after()
        self._crew.deliver()
        if self._produced is not None:
            return self._produced
        raise self._failure()

    def _look_after(self) -> None:
        """Ranks that have begun see to stop and timeout themselves; a gang that never begins is given up here."""
        if self._store.flag(self._task.began_flag):
            if self._crew.control.overdue():
                self._store.raise_flag(self._task.kill_flag)
        elif self._crew.control.stopping():
            raise Stopped("stopped while the gang was starting")
        elif self._crew.control.overdue():
            raise self._late()
        elif time.monotonic() - self._since > START_SECONDS:
            hint = "is there room for all its workers at once, and does every node reach the others?"
            raise InfrastructureError(
                f"the gang of {self._task.cell} has not started for {START_SECONDS:g} s", hint=hint
            )

    def _train(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="advorch-gang-") as folder:
                self._produced = cast("Any", self._trainer(folder).fit()).return_value
        except BaseException as error:  # noqa: BLE001  judged by the cell's thread
            self._error = error

    def _trainer(self, folder: str) -> Any:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        task = self._task
        scaling = ScalingConfig(
            num_workers=task.workers, use_gpu=task.gpus > 0, resources_per_worker=_resources(task),
            placement_strategy=task.placement.upper(),
        )  # fmt: skip
        retries_are_ours = FailureConfig(max_failures=0)
        return TorchTrainer(
            rank_main,
            train_loop_config={"task": task, "mailbox": self._crew.mailbox},
            torch_config=TorchConfig(backend=collective_backend(task.gpus)),
            scaling_config=scaling,
            run_config=RunConfig(
                name=f"{task.key[:16]}-{task.attempt}", storage_path=folder, failure_config=retries_are_ours
            ),
        )

    def _failure(self) -> AdvorchError:
        if self._crew.control.overdue():
            return self._late()
        if self._error is None:
            return StageFailed("the gang ended without outputs", error_class=ErrorClass.NODE_LOST)
        failure = blamed(self._error)
        if is_loss(failure):
            self._crew.head.explain()
        return failure

    def _late(self) -> StageFailed:
        return StageFailed(f"ran longer than its {self._task.seconds:g} s", error_class=ErrorClass.TIMEOUT)


def rank_main(config: dict[Any, Any]) -> Any:
    """What each rank runs; errors leave it as ours."""
    task: Task = config["task"]
    end_with(config["mailbox"])
    posting = Posting(config["mailbox"], task.cell)
    group = Gang(_device(task))
    if group.rank == 0:
        open_store(task.store).raise_flag(task.began_flag)
    threading.Thread(target=_watch, args=(task,), daemon=True, name="watchdog").start()
    try:
        return Bench().fit(task, posting.channel, group)
    except (Exception, SystemExit) as error:  # noqa: BLE001  what leaves a rank is one of our errors
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
    while not store.flag(task.kill_flag):
        time.sleep(1.0)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _resources(task: Task) -> dict[str, float]:
    resources = {"CPU": task.cpus, "GPU": task.gpus, "memory": float(task.memory)}
    return {name: amount for name, amount in resources.items() if amount}
