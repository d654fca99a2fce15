"""The pool of warm workers, with strings for actors."""

import itertools
import threading
import time

import pytest

from advorch.engine.ray.hold import Hold
from advorch.engine.ray.pool import Pool, Worker


class Hires:
    """Counts hires, remembers who was let go."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.fired: list[object] = []
        self.dead: list[object] = []

    def hire(self, hold: Hold) -> object:
        return f"{hold.cpu:g} cpu #{next(self.numbers)}"

    def fire(self, handle: object) -> None:
        self.fired.append(handle)

    def is_alive(self, handle: object) -> bool:
        return handle not in self.dead

    def pool(self, cpu: float, gpu: float = 0) -> Pool:
        return Pool(self, Hold(cpu, gpu, memory=10))


@pytest.fixture
def hires() -> Hires:
    return Hires()


def never() -> bool:
    return False


def lent(pool: Pool, hold: Hold) -> Worker:
    worker = pool.lend(hold, never)
    assert worker is not None
    return worker


def test_a_worker_that_came_back_is_lent_again(hires: Hires) -> None:
    pool = hires.pool(2)
    first = lent(pool, Hold(1, 0))
    pool.give_back(first)
    assert lent(pool, Hold(1, 0)) is first


def test_spare_workers_end_where_the_cluster_does(hires: Hires) -> None:
    pool = hires.pool(2)
    assert [pool.lend_spare(Hold(1, 0)) is not None for _ in range(3)] == [True, True, False]


def test_idle_workers_make_room_for_another_shape(hires: Hires) -> None:
    pool = hires.pool(2)
    small = lent(pool, Hold(1, 0))
    pool.give_back(small)
    assert lent(pool, Hold(2, 0)).handle == "2 cpu #1"
    assert hires.fired == [small.handle]


def test_busy_workers_are_never_let_go(hires: Hires) -> None:
    pool = hires.pool(2)
    lent(pool, Hold(1, 0))
    assert pool.lend_spare(Hold(2, 0)) is None
    assert hires.fired == []


def test_a_dead_worker_frees_its_room(hires: Hires) -> None:
    pool = hires.pool(1)
    pool.discard(lent(pool, Hold(1, 0)))
    assert pool.lend_spare(Hold(1, 0)) is not None


def test_a_gang_waits_for_room_and_spares_are_wanted_back(hires: Hires) -> None:
    pool = hires.pool(2)
    worker = lent(pool, Hold(1, 0))
    granted = threading.Event()
    waiter = threading.Thread(target=lambda: pool.reserve(Hold(2, 0), never) and granted.set())
    waiter.start()
    until = time.monotonic() + 5
    while not pool.is_wanted and time.monotonic() < until:
        time.sleep(0.01)
    assert pool.is_wanted
    assert pool.lend_spare(Hold(1, 0)) is None, "whoever waits comes before spares"
    pool.give_back(worker)
    waiter.join(5)
    assert granted.is_set()
    assert pool.lend_spare(Hold(1, 0)) is None
    pool.unreserve(Hold(2, 0))
    assert pool.lend_spare(Hold(1, 0)) is not None


def test_waiting_ends_when_the_run_is_stopped(hires: Hires) -> None:
    pool = hires.pool(1)
    lent(pool, Hold(1, 0))
    assert pool.lend(Hold(1, 0), lambda: True) is None


def test_gpu_fractions_share_a_device(hires: Hires) -> None:
    pool = hires.pool(8, 1)
    spares = [pool.lend_spare(Hold(1, 0.5)) for _ in range(3)]
    assert [spare is not None for spare in spares] == [True, True, False]


def test_memory_is_counted_too(hires: Hires) -> None:
    pool = hires.pool(8)
    assert pool.lend_spare(Hold(1, 0, memory=6)) is not None
    assert pool.lend_spare(Hold(1, 0, memory=6)) is None


def test_a_worker_that_died_while_idle_is_not_lent_again(hires: Hires) -> None:
    pool = hires.pool(1)
    first = lent(pool, Hold(1, 0))
    pool.give_back(first)
    hires.dead.append(first.handle)
    assert lent(pool, Hold(1, 0)) is not first


def test_idle_workers_can_be_dismissed_and_hired_again(hires: Hires) -> None:
    pool = hires.pool(1)
    first = lent(pool, Hold(1, 0))
    pool.give_back(first)
    pool.dismiss_idle()
    assert hires.fired == [first.handle]
    assert lent(pool, Hold(1, 0)) is not first
