"""One suite for every place where a fit can run: report, resume, cancel, crash and digests are the same in all."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from advorch.engine.backend import Backend
from advorch.engine.bench import Bench
from advorch.engine.channel import Message, PostingChannel, Reported
from advorch.engine.inline import InlineBackend
from advorch.engine.task import Produced, Task, flags_of
from advorch.errors import ErrorClass, StageFailed, Stopped
from advorch.registry.discovery import discover
from advorch.store.opening import open_store

PLACES = ["inline", "actor", pytest.param("gang", marks=pytest.mark.long)]


@dataclass
class Listener:
    """A control that keeps what it hears, and asks to stop after so many reports."""

    stop_flag: Callable[[], None] = lambda: None
    stop_after: int | None = None
    heard: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channel = PostingChannel(self._hear)

    def _hear(self, message: Message) -> None:
        self.heard.append(message)
        if self.stop_after is not None and len(self.reports()) == self.stop_after:
            self.stop_flag()

    def reports(self) -> list[Reported]:
        return [message for message in self.heard if isinstance(message, Reported)]

    def stopping(self) -> bool:
        return False

    def overdue(self) -> bool:
        return False

    def committed(self) -> frozenset[str]:
        return frozenset()


@pytest.fixture(scope="module")
def ray_backend() -> Iterator[Backend]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "lab"))
        from advorch.engine.ray.backend import RayBackend
        from advorch.engine.ray.cluster import Cluster, ClusterSettings

        backend = RayBackend(Cluster(ClusterSettings(cpus=2, object_store=80 * 2**20)))
        yield backend
        backend.close()


@dataclass
class Stand:
    """A place to run tasks in, with a store of its own."""

    backend: Backend
    workers: int
    store_url: str
    plugins: Mapping[str, str]

    def task(self, key: str = "a", **params: object) -> Task:
        return Task(
            run="r", cell=f"walk-{key}", component="train/walk", params=params, inputs={}, key=key * 64, seed=7,  # type: ignore[arg-type]
            store=self.store_url, plugins=self.plugins, workers=self.workers,
        )  # fmt: skip

    def fit(self, task: Task, listener: Listener | None = None) -> Produced:
        return self.backend.fit(task, listener or Listener())


@pytest.fixture(params=PLACES)
def stand(request: pytest.FixtureRequest, workspace: Path) -> Stand:
    registry = discover()
    backend = InlineBackend(Bench(registry)) if request.param == "inline" else request.getfixturevalue("ray_backend")
    workers = 2 if request.param == "gang" else 1
    return Stand(backend, workers, str(workspace / "store"), registry.fingerprint())


def test_reports_arrive_in_order_and_stay_in_the_series(stand: Stand) -> None:
    listener = Listener()
    produced = stand.fit(stand.task(steps=3), listener)
    assert [report.step for report in listener.reports()] == [1, 2, 3]
    assert [report.metrics for report in produced.series] == [report.metrics for report in listener.reports()]


def test_the_outputs_are_those_of_this_process(stand: Stand) -> None:
    produced = stand.fit(stand.task(steps=4))
    here = InlineBackend(Bench(discover())).fit(replace(stand.task("b", steps=4), workers=1), Listener())
    assert produced.outputs["table"].digest == here.outputs["table"].digest
    assert produced.metrics == here.metrics


def test_a_stopped_task_keeps_its_checkpoint_and_goes_on(stand: Stand, workspace: Path) -> None:
    task = stand.task(steps=6, pause=0.3, diary=str(workspace / "diary"))
    store = open_store(stand.store_url)
    listener = Listener(stop_flag=lambda: store.raise_flag(task.stop_flag), stop_after=2)
    with pytest.raises(Stopped):
        stand.fit(task, listener)
    store.clear_flags(flags_of("r"))
    produced = stand.fit(task)
    steps = [line.split()[1] for line in (workspace / "diary").read_text().splitlines()]
    assert steps == ["1", "2", "3", "4", "5", "6"], "no step twice"
    assert [report.step for report in produced.series] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("trouble", "expected"), [("user", ErrorClass.USER), ("nan", ErrorClass.NAN)])
def test_an_error_arrives_with_its_class_and_its_traceback(stand: Stand, trouble: str, expected: ErrorClass) -> None:
    with pytest.raises(StageFailed) as caught:
        stand.fit(stand.task(steps=3, trouble=trouble))
    assert caught.value.error_class is expected


def test_a_dead_process_is_a_lost_node_and_the_next_one_resumes(stand: Stand, workspace: Path) -> None:
    if stand.backend.name == "inline":
        return  # the process is ours: killing it is another test's business
    task = stand.task(steps=4, trouble="lost", once=str(workspace / "once"), diary=str(workspace / "diary"))
    with pytest.raises(StageFailed) as caught:
        stand.fit(task)
    assert caught.value.error_class is ErrorClass.NODE_LOST
    stand.fit(task)
    steps = [line.split()[1] for line in (workspace / "diary").read_text().splitlines()]
    assert [step for step, _ in itertools.groupby(steps)] == ["1", "2", "3", "4"], "in the order of the walk"
    assert steps.count("1") == 1, "step 1 was committed and is not computed again"


def test_a_finished_checkpoint_is_not_walked_again(stand: Stand, workspace: Path) -> None:
    task = stand.task(steps=2, diary=str(workspace / "diary"))
    first, second = stand.fit(task), stand.fit(task)
    assert first.outputs == second.outputs
    assert len((workspace / "diary").read_text().splitlines()) == 2
