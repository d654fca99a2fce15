"""How a gang is launched, with a trainer that only listens."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray.train.torch

from advorch.engine.channel import PostingChannel
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.gang import run_gang
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.pool import Pool
from advorch.engine.surroundings import collective_backend
from advorch.engine.task import Produced, Task
from advorch.errors import ErrorClass, StageFailed


class ListeningTrainer:
    """Keeps what it was made with, and ends as it is told."""

    made: dict[str, Any]
    error: Exception | None = None

    def __init__(self, loop: object, **settings: Any) -> None:
        type(self).made = {"loop": loop, **settings}

    def fit(self) -> object:
        if self.error:
            raise self.error
        return SimpleNamespace(return_value=Produced(outputs={}))


class Hires:
    """Workers of no kind."""

    def hire(self, hold: Hold) -> object:
        return object()

    def fire(self, handle: object) -> None:
        """Nothing to end."""

    def is_alive(self, handle: object) -> bool:
        return True


class SilentMailbox:
    """An actor handle whose mailbox is empty."""

    def __init__(self) -> None:
        self.drain = SimpleNamespace(remote=lambda cell: [])


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(ray.train.torch, "TorchTrainer", ListeningTrainer)
    monkeypatch.setattr(ray, "get", lambda value, timeout=None: value)
    monkeypatch.setattr(ListeningTrainer, "error", None)

    def make(gpus: float, workers: int = 2) -> Crew:
        task = Task(
            run="r", cell="c", component="train/x", params={}, inputs={}, key="k" * 64, seed=1, store=str(tmp_path),
            plugins={}, cpus=1, gpus=gpus, workers=workers,
        )  # fmt: skip
        control = SimpleNamespace(
            channel=PostingChannel(lambda message: None), stopping=lambda: False, overdue=lambda: False
        )
        pool = Pool(Hires(), Hold(4, 4))
        return Crew(pool, SilentMailbox(), task, control, Head())  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize(("gpus", "backend"), [(0, "gloo"), (1, "nccl"), (2, "nccl"), (0.5, "gloo")])
def test_nccl_needs_a_whole_gpu_a_rank(crew: Any, gpus: float, backend: str) -> None:
    run_gang(crew(gpus))
    made = ListeningTrainer.made
    assert made["torch_config"].backend == backend == collective_backend(gpus)
    scaling = made["scaling_config"]
    assert scaling.num_workers == 2
    assert scaling.use_gpu is (gpus > 0)
    assert scaling.resources_per_worker == {"CPU": 1} | ({"GPU": gpus} if gpus else {})
    assert made["run_config"].failure_config.max_failures == 0, "retries are ours, by class of error"


def test_the_room_of_a_gang_is_given_back(crew: Any) -> None:
    made = crew(1, workers=4)
    run_gang(made)
    assert made.pool.lend_spare(Hold(4, 4)) is not None


def test_an_error_of_a_rank_is_found_in_what_wraps_it(crew: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = StageFailed("the loss is not a number", error_class=ErrorClass.NAN)
    wrapper = RuntimeError("worker group failed")
    wrapper.worker_failures = {1: failure}  # type: ignore[attr-defined]
    monkeypatch.setattr(ListeningTrainer, "error", wrapper)
    with pytest.raises(StageFailed) as caught:
        run_gang(crew(0))
    assert caught.value is failure
