"""One thread beats for all."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from advorch.store.api import Owner
from advorch.store.heart import Heart
from advorch.store.local import LocalStore

INTERVAL = 0.05


class Counted:
    """Notes in which thread it was beaten."""

    def __init__(self) -> None:
        self.beats: Counter[str] = Counter()

    def beat(self) -> None:
        self.beats[threading.current_thread().name] += 1


def hearts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "advorch-heartbeat"]


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def test_many_are_beaten_again_and_again_by_one_thread() -> None:
    assert eventually(lambda: not hearts())
    heart, all_of_them = Heart(INTERVAL), [Counted() for _ in range(20)]
    for one in all_of_them:
        heart.add(one)
    assert len(hearts()) == 1
    assert eventually(lambda: all(one.beats.total() >= 3 for one in all_of_them))
    for one in all_of_them:
        heart.remove(one)
    assert all(set(one.beats) == {"advorch-heartbeat"} for one in all_of_them)


def test_what_was_removed_rests_while_others_are_beaten() -> None:
    heart, gone, stays = Heart(INTERVAL), Counted(), Counted()
    heart.add(gone)
    heart.add(stays)
    heart.remove(gone)
    assert eventually(lambda: stays.beats.total() >= 3)
    heart.remove(stays)
    assert gone.beats.total() <= 1


def test_the_thread_goes_when_idle_and_comes_again() -> None:
    heart, one = Heart(INTERVAL), Counted()
    for beats in (1, 2):
        heart.add(one)
        assert eventually(lambda beats=beats: one.beats.total() >= beats)  # type: ignore[misc]
        heart.remove(one)
        assert eventually(lambda: not hearts())


def test_a_store_that_holds_many_claims_has_one_heartbeat_thread(tmp_path: Path) -> None:
    assert eventually(lambda: not hearts())
    store, owner = LocalStore(tmp_path, interval=INTERVAL), Owner(run="r", host="h", pid=1, started=0.0)
    for number in range(20):
        with (
            store.claim(f"{number:064x}", owner, wait=False, stopping=lambda: False),
            store.claim(f"{number + 100:064x}", owner, wait=False, stopping=lambda: False),
        ):
            assert len(hearts()) == 1
    assert eventually(lambda: not hearts())
