"""A cluster that others share: what comes and goes."""

import math

import pytest

from advorch.engine.ray.hold import Hold
from advorch.engine.ray.pool import Pool, Worker
from advorch.engine.slots import Slots


class Hires:
    """Strings for actors."""

    def __init__(self) -> None:
        self.fired: list[object] = []
        self.number = 0

    def hire(self, hold: Hold) -> object:
        self.number += 1
        return self.number

    def fire(self, handle: object) -> None:
        self.fired.append(handle)

    def is_alive(self, handle: object) -> bool:
        return True


@pytest.fixture
def hires() -> Hires:
    return Hires()


def lent(pool: Pool, cpu: float) -> Worker:
    worker = pool.lend_spare(Hold(cpu, 0))
    assert worker is not None
    return worker


# Slots


def test_what_came_can_be_taken_and_what_went_is_missed() -> None:
    slots = Slots({"cpu": 1, "gpu": 0})
    assert not slots.take({"gpu": 1})
    slots.resize({"cpu": 1, "gpu": 2}, {"cpu": 1, "gpu": 2}, grows=False)
    assert slots.take({"gpu": 2})
    slots.resize({"cpu": 1, "gpu": 1}, {"cpu": 1, "gpu": 2}, grows=False)
    slots.give({"gpu": 2})
    assert not slots.take({"gpu": 2})
    assert slots.take({"gpu": 1})


def test_where_nodes_may_come_nothing_is_impossible_and_the_reason_is_said() -> None:
    slots = Slots({"cpu": 2, "gpu": 0})
    assert slots.never({"gpu": 1}) == "1 gpu of 0 gpu"
    slots.resize({"cpu": 2, "gpu": 0}, {"cpu": math.inf, "gpu": math.inf}, grows=True)
    assert slots.never({"gpu": 1}) == ""
    assert slots.lacking({"gpu": 1}) == "1 gpu: the cluster has none now, and may grow"
    assert slots.lacking({"cpu": 3}) == "3 cpu: the cluster has 2 cpu now, and may grow"


def test_what_a_lost_node_had_is_waited_for() -> None:
    slots = Slots({"cpu": 3})
    slots.resize({"cpu": 2}, {"cpu": 3}, grows=False)
    assert slots.never({"cpu": 3}) == ""
    assert slots.never({"cpu": 4}) == "4 cpu of 2 cpu"
    assert slots.lacking({"cpu": 3}) == "3 cpu: the cluster has 2 cpu now, and had more before"
    slots.resize({"cpu": 2}, {"cpu": 2}, grows=False)
    assert slots.never({"cpu": 3}) == "3 cpu of 2 cpu", "given up"


def test_limits_hold_however_large_the_cluster_grows() -> None:
    slots = Slots({"cpu": 2}, {"cpu": 4, "licence": 1})
    slots.resize({"cpu": 16}, {"cpu": math.inf}, grows=True)
    assert slots.never({"cpu": 5}) == "5 cpu of 4 cpu"
    assert slots.take({"cpu": 4, "licence": 1})
    assert not slots.take({"cpu": 1})
    slots.wish({"cpu": 1}, 3)
    assert slots.wishes() == {}, "a limit is not lifted by nodes"


def test_wishes_are_told_once_and_only_if_nodes_would_help() -> None:
    slots = Slots({"cpu": 1}, {"licence": 0})
    slots.wish({"cpu": 1, "licence": 1}, 2)
    slots.wish({"cpu": 2}, 5)
    assert slots.wishes() == {frozenset({("cpu", 2)}): 5}
    assert slots.wishes() == {}
    assert slots.lacks({"cpu": 2})
    assert not slots.lacks({"cpu": 1})


# The pool


def test_idle_workers_make_up_for_a_node_that_went(hires: Hires) -> None:
    pool = Pool(hires, Hold(2, 0))
    first, second = lent(pool, 1), lent(pool, 1)
    pool.give_back(first)
    pool.resize(Hold(1, 0))
    assert hires.fired == [first.handle]
    assert pool.lend_spare(Hold(1, 0)) is None, "the other one has all that is left"
    pool.discard(second)
    lent(pool, 1)


def test_a_node_that_came_has_room(hires: Hires) -> None:
    pool = Pool(hires, Hold(1, 0))
    lent(pool, 1)
    assert pool.lend_spare(Hold(1, 0)) is None
    pool.resize(Hold(2, 0))
    lent(pool, 1)


def test_only_those_who_have_long_been_idle_are_let_go(hires: Hires, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pool = Pool(hires, Hold(2, 0))
    early, late = lent(pool, 1), lent(pool, 1)
    pool.give_back(early)
    now = 150.0
    pool.give_back(late)
    now = 165.0
    pool.dismiss_idle(longer_than=60)
    assert hires.fired == [early.handle]
    assert lent(pool, 1) is late


def test_cravings_are_told_once(hires: Hires) -> None:
    pool = Pool(hires, Hold(1, 0))
    pool.crave(Hold(1, 0), 3)
    pool.crave(Hold(1, 0), 2)
    assert pool.cravings() == {Hold(1, 0): 2}
    assert pool.cravings() == {}
