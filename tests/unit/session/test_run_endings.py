"""What the journal says of a run that a signal ended, and what is left of its flags."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from advorch.engine.task import flags_of, stop_flag
from advorch.errors import Stopped, StoreError
from advorch.events import Event, RunFinished
from advorch.session.mustering import lower_flags
from advorch.session.running import Running
from advorch.store.opening import open_store


@pytest.mark.parametrize(("raised", "seen"), [(SystemExit(15), Stopped), (KeyboardInterrupt(), KeyboardInterrupt)])
def test_a_run_that_a_signal_ended_is_journalled_as_stopped(raised: BaseException, seen: type[BaseException]) -> None:
    told: list[Event] = []

    def end() -> None:
        raise raised

    running, driver = Running.__new__(Running), SimpleNamespace(run=end)
    running.id = "r"
    given: Any = driver
    with pytest.raises(seen):
        running._drive(given, told.append)
    [finished] = told
    assert isinstance(finished, RunFinished)
    assert finished.exit_code == 6


def test_the_flags_of_a_run_are_lowered_and_those_of_others_stay(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for run in ("mine", "other"):
        store.raise_flag(stop_flag(run, "k"))
    lower_flags(store, "mine")
    assert [store.flag(stop_flag(run, "k")) for run in ("mine", "other")] == [False, True]


def test_flags_that_cannot_be_lowered_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(prefix: str) -> None:
        assert prefix == flags_of("r")
        raise StoreError("read only")

    store: Any = SimpleNamespace(clear_flags=refuse)
    lower_flags(store, "r")
    assert "the flags of run r stay in the storage: read only" in caplog.text
