"""The journal: whole lines only, from any thread, and nothing newer than we can read."""

import json
import math
import threading
from pathlib import Path

import pytest

from advorch.errors import FormatTooNew
from advorch.events import (
    CellFinished,
    CellProgressed,
    CellReported,
    CellRetried,
    CellStarted,
    Event,
    RunFinished,
    RunStarted,
    Status,
)
from advorch.tracking.journal import FILE, Journal, follow, read

STARTED = RunStarted(
    run="r", pipeline="p", file="f.yaml", profile="", executor="inline", storage="s", version="0", cells=("a", "b")
)
FINISHED = RunFinished(run="r", exit_code=0, seconds=1.0)
EVENTS: list[Event] = [
    STARTED,
    CellStarted(cell="a", stage="a", component="train/x", key="k", params={"lr": 0.1}, inputs={"data": ["d"]}),
    CellReported(cell="a", step=1, metrics={"loss": 0.5}),
    CellRetried(cell="a", attempt=1, error_class="node_lost", message="gone", delay=1.0, most=3),
    CellFinished(
        cell="a", stage="a", component="train/x", status=Status.DONE, key="k", outputs={"model": "m"}, missing=("x",)
    ),
    FINISHED,
]


def written(folder: Path, events: list[Event]) -> Path:
    journal = Journal(folder, clock=lambda: 12.5)
    for event in events:
        journal.emit(event)
    journal.close()
    return folder / FILE


def test_every_event_is_read_back_as_it_was(tmp_path: Path) -> None:
    entries = list(read(written(tmp_path, EVENTS)))
    assert [entry.event for entry in entries] == EVENTS
    assert {entry.at for entry in entries} == {12.5}


def test_progress_is_not_kept(tmp_path: Path) -> None:
    path = written(tmp_path, [STARTED, CellProgressed(cell="a", done=1, total=2)])
    assert [entry.event for entry in read(path)] == [STARTED]


def test_numbers_that_json_lacks_survive_and_the_file_stays_strict_json(tmp_path: Path) -> None:
    metrics = {"nan": math.nan, "up": math.inf, "down": -math.inf, "one": 1.0}
    path = written(tmp_path, [CellReported(cell="a", step=0, metrics=metrics)])

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(path.read_text(), parse_constant=refuse)
    [entry] = read(path)
    assert isinstance(entry.event, CellReported)
    assert math.isnan(entry.event.metrics["nan"])
    assert [entry.event.metrics[name] for name in ("up", "down", "one")] == [math.inf, -math.inf, 1.0]


@pytest.mark.parametrize("kept", [1, 10, -1])
def test_a_torn_last_line_is_passed_over_and_read_once_it_is_whole(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path, EVENTS)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    path.write_bytes(whole[:last] + whole[last:][:kept])
    entries = list(read(path))
    assert [entry.event for entry in entries] == EVENTS[:-1]
    assert entries[-1].offset == last
    path.write_bytes(whole)
    assert [entry.event for entry in read(path, entries[-1].offset)] == EVENTS[-1:]


def test_a_journal_opened_again_drops_the_torn_tail_and_keeps_the_rest(tmp_path: Path) -> None:
    path = written(tmp_path, EVENTS[:2])
    with path.open("ab") as file:
        file.write(b'{"event":"cell_fin')
    written(tmp_path, [FINISHED])
    assert [entry.event for entry in read(path)] == [*EVENTS[:2], FINISHED]


def test_a_damaged_line_in_the_middle_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, [STARTED])
    with path.open("ab") as file:
        file.write(b'{"event":"cell_reported","at":1,\xff}\n{"event":"run_finished"}\n')
    written(tmp_path, [FINISHED])
    assert [entry.event for entry in read(path)] == [STARTED, FINISHED]
    assert caplog.text.count("is damaged and passed over") == 2


def test_kinds_and_fields_of_a_newer_writer_of_the_same_format_are_left_aside(tmp_path: Path) -> None:
    path = written(tmp_path, [STARTED])
    with path.open("a") as file:
        file.write('{"event":"cell_dreamt","at":1}\n')
        file.write('{"event":"run_finished","at":1,"run":"r","exit_code":0,"seconds":1.0,"mood":"good"}\n')
    assert [entry.event for entry in read(path)] == [STARTED, FINISHED]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, [STARTED])
    path.write_text(path.read_text().replace("journal/1", "journal/2"))
    with pytest.raises(FormatTooNew, match="journal/2"):
        list(read(path))


def test_threads_share_a_journal_without_mixing_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    threads = [threading.Thread(target=_report, args=(journal, f"cell{index}")) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    events = [entry.event for entry in read(tmp_path / FILE)]
    assert len(events) == 8 * 100
    for index in range(8):
        steps = [event.step for event in events if isinstance(event, CellReported) and event.cell == f"cell{index}"]
        assert steps == list(range(100))


def _report(journal: Journal, cell: str) -> None:
    for step in range(100):
        journal.emit(CellReported(cell=cell, step=step, metrics={"loss": 1.0 / (step + 1)}))


def test_what_a_restart_builds_on_is_durable_and_named(tmp_path: Path) -> None:
    names: list[str] = []
    path = tmp_path / FILE
    journal = Journal(tmp_path, on_durable=lambda name: names.append(f"{name} {len(list(read(path)))}"))
    cached = CellFinished(cell="b", stage="b", component="train/x", status=Status.CACHED)
    for event in [*EVENTS[:3], cached, *EVENTS[4:]]:
        journal.emit(event)
    journal.close()
    assert names == [
        "journal.run_started.before 0",
        "journal.run_started.after 1",
        "journal.cell_started.before 1",
        "journal.cell_started.after 2",
        "journal.cell_finished.before 4",
        "journal.cell_finished.after 5",
        "journal.run_finished.before 5",
        "journal.run_finished.after 6",
    ]


def test_follow_waits_for_the_file_gives_lines_as_they_come_and_ends_with_the_last(tmp_path: Path) -> None:
    folder, done = tmp_path / "later", threading.Event()
    found: list[Event] = []
    reader = threading.Thread(
        target=lambda: found.extend(entry.event for entry in follow(folder / FILE, done.is_set, poll=0.01))
    )
    reader.start()
    journal = Journal(folder)
    for event in EVENTS:
        journal.emit(event)
    journal.close()
    done.set()
    reader.join(timeout=5)
    assert found == EVENTS
