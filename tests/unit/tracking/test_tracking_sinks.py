"""Fanout: the journal's errors are the run's, a watcher's are its own."""

import threading

import pytest

from advorch.events import CellReported, Event
from advorch.tracking.sinks import Fanout

EVENT = CellReported(cell="a", step=1, metrics={})


class Keeper:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = 0

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


class Broken(Keeper):
    def emit(self, event: Event) -> None:
        super().emit(event)
        raise RuntimeError("no more")

    def close(self) -> None:
        super().close()
        raise RuntimeError("not even that")


def test_a_failing_watcher_is_dropped_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    journal, broken, other = Keeper(), Broken(), Keeper()
    fanout = Fanout(journal, broken, other)
    for _ in range(3):
        fanout.emit(EVENT)
    fanout.close()
    assert len(journal.events) == len(other.events) == 3
    assert (len(broken.events), broken.closed, other.closed, journal.closed) == (1, 1, 1, 1)
    assert caplog.text.count("is no longer told") == 1


def test_a_failing_journal_is_the_runs_error_and_nobody_hears_what_is_not_kept() -> None:
    watcher = Keeper()
    with pytest.raises(RuntimeError, match="no more"):
        Fanout(Broken(), watcher).emit(EVENT)
    assert watcher.events == []


def test_all_sinks_see_one_order_from_many_threads() -> None:
    journal, watcher = Keeper(), Keeper()
    fanout = Fanout(journal, watcher)

    def talk(cell: str) -> None:
        for step in range(200):
            fanout.emit(CellReported(cell=cell, step=step, metrics={}))

    threads = [threading.Thread(target=talk, args=(str(index),)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.events) == 800
    assert journal.events == watcher.events
