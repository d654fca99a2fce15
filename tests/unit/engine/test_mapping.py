"""A map over workers of which some never come, with plain objects for Ray's."""

import itertools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from advorch.engine.channel import PostingChannel
from advorch.engine.ray.crew import Crew
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.mapping import MapRun
from advorch.engine.ray.pool import Pool
from advorch.engine.task import Produced, Task
from advorch.errors import ErrorClass, StageFailed

CHUNKS, SIZE = 6, 5
MERGED = Produced(outputs={})


@dataclass(eq=False)
class Ref:
    """A pending call: its result, or an error, or nothing ever."""

    value: Any = None
    error: Exception | None = None
    never: bool = False


class Method:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def remote(self, *arguments: Any) -> Ref:
        answer = self._answer(*arguments)
        return answer if isinstance(answer, Ref) else Ref(answer)


class Actor:
    """One worker; `ping` is what it answers when it is asked whether it is there."""

    def __init__(self, number: int, ping: Ref, done: list[tuple[int, int]]) -> None:
        self.ping = Method(lambda: ping)
        self.count = Method(lambda task: (CHUNKS * SIZE, SIZE))
        self.reduce = Method(lambda task: MERGED)
        self.chunk = Method(lambda task, index: done.append((number, index)) or {})


class Staff:
    def __init__(self, pings: list[Ref]) -> None:
        self.done: list[tuple[int, int]] = []
        self.fired: list[Any] = []
        self._pings = iter(pings)
        self._numbers = itertools.count()

    def hire(self, hold: Hold) -> Actor:
        return Actor(next(self._numbers), next(self._pings, Ref()), self.done)

    def fire(self, handle: Any) -> None:
        self.fired.append(handle)

    def is_alive(self, handle: Any) -> bool:
        return True


def wait(refs: list[Ref], num_returns: int = 1, timeout: float = 0) -> tuple[list[Ref], list[Ref]]:
    ready = [ref for ref in refs if not ref.never][:num_returns]
    return ready, [ref for ref in refs if ref not in ready]


def get(ref: Any, timeout: float | None = None) -> Any:
    if isinstance(ref, Ref) and ref.error:
        raise ref.error
    return ref.value if isinstance(ref, Ref) else ref


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a map on a pool of so many CPUs, whose workers answer like this, the first hired first."""
    monkeypatch.setattr(ray, "wait", wait)
    monkeypatch.setattr(ray, "get", get)

    def run(cpus: int, pings: list[Ref]) -> Staff:
        task = Task(
            run="r", cell="c", component="attack/x", params={}, inputs={}, key="k" * 64, seed=1, store="", plugins={}
        )
        control: Any = SimpleNamespace(
            channel=PostingChannel(lambda message: None), stopping=lambda: False, overdue=lambda: False,
            committed=frozenset,
        )  # fmt: skip
        staff = Staff(pings)
        mailbox = SimpleNamespace(drain=Method(lambda cell: []))
        found = MapRun(Crew(Pool(staff, Hold(cpus, 0)), mailbox, task, control, Head())).run()
        assert found is MERGED
        assert sorted(index for _, index in staff.done) == list(range(CHUNKS))
        return staff

    return run


def test_a_worker_that_never_comes_is_given_no_chunk(over: Any) -> None:
    """The node went before the actor was there, or others have its room: the map ends without it."""
    staff = over(2, [Ref(), Ref(never=True)])
    assert {number for number, _ in staff.done} == {0}


def test_workers_that_come_are_given_chunks(over: Any) -> None:
    staff = over(3, [Ref(), Ref(), Ref()])
    assert {number for number, _ in staff.done} == {0, 1, 2}


def test_workers_that_die_on_their_way_are_not_hired_for_ever(over: Any) -> None:
    lost = StageFailed("the node died", error_class=ErrorClass.NODE_LOST)
    staff = over(2, [Ref(), *[Ref(error=lost) for _ in range(20)]])
    assert {number for number, _ in staff.done} == {0}
    assert len(staff.fired) == 3
