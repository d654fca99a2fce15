"""The folder of a run that is driven elsewhere: written from its driver's output, each line of it once."""

import io
import math
from pathlib import Path

import pytest

from advorch.events import CellFinished, CellProgressed, CellReported, Event, RunFinished, RunStarted, Status
from advorch.tracking.journal import FILE, read
from advorch.tracking.liveness import Life, life
from advorch.tracking.mirror import Mirror, driver_output, read_state
from advorch.tracking.runs import RunState, find_run, list_runs, load_run
from advorch.tracking.stream import EventStream, split
from advorch.tracking.submission import Job, Submission, read_submission, write_job, write_submission

STORY: list[Event] = [
    RunStarted(
        run="r", pipeline="p", file="f.yaml", profile="", executor="inline", storage="s", version="1", cells=("a",)
    ),
    CellReported(cell="a", step=1, metrics={"loss": math.nan}),
    CellFinished(cell="a", stage="a", component="train/x", status=Status.DONE, message="naïve"),
    RunFinished(run="r", exit_code=0, seconds=1.0),
]


def told() -> str:
    """What the driver's log holds: its console, half lines, and records."""
    out = io.StringIO()
    stream = EventStream(out, clock=lambda: 5.0)
    out.write("Running entrypoint\n")
    stream.greet("node7", "0.1.0")
    for event in STORY:
        out.write("half a line")
        stream.emit(event)
        stream.printed("a", f"12:00:00 {event.name}")
    stream.emit(CellProgressed(cell="a", done=1, total=2))
    return out.getvalue()


def mirrored(folder: Path, *pieces: str) -> None:
    mirror = Mirror.open(folder)
    assert mirror is not None
    with mirror:
        for piece in pieces:
            mirror.feed(piece)


def events(folder: Path) -> list[Event]:
    return [entry.event for entry in read(folder / FILE)]


def log(folder: Path) -> list[str]:
    return (folder / "logs" / "a.log").read_text().splitlines()


def same(found: list[Event]) -> bool:
    return [repr(event) for event in found] == [repr(event) for event in STORY]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_becomes_the_folder_of_the_run(tmp_path: Path, size: int) -> None:
    text = told()
    mirrored(tmp_path, *(text[start : start + size] for start in range(0, len(text), size)))
    assert same(events(tmp_path))
    assert [entry.at for entry in read(tmp_path / FILE)] == [5.0] * 4
    assert log(tmp_path) == [f"12:00:00 {event.name}" for event in STORY]
    assert driver_output(tmp_path, 2) == ["half a line"] * 2
    assert driver_output(tmp_path, 99)[0] == "Running entrypoint"
    assert read_state(tmp_path)["hello"]["host"] == "node7"
    assert text.isascii()


def test_what_was_read_is_passed_over_when_the_output_comes_from_its_start_again(tmp_path: Path) -> None:
    text = told()
    for end in range(0, len(text), 97):
        mirrored(tmp_path, text[:end])
    mirrored(tmp_path, text)
    assert same(events(tmp_path))
    assert len(log(tmp_path)) == 4


def test_a_mirror_that_died_before_it_said_how_far_it_was_takes_no_event_twice(tmp_path: Path) -> None:
    text = told()
    mirrored(tmp_path, text[: len(text) // 2])
    (tmp_path / "mirror.json").unlink()
    with (tmp_path / FILE).open("a") as journal:
        journal.write('{"event": "cell_fin')  # and in the middle of a line
    mirrored(tmp_path, text)
    assert same(events(tmp_path))


def test_one_mirror_at_a_time(tmp_path: Path) -> None:
    first = Mirror.open(tmp_path)
    assert first is not None
    with first:
        assert Mirror.open(tmp_path) is None
    mirrored(tmp_path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", ("plain", None)),
        ('before\x1e{"cell": "a"}', ("before", {"cell": "a"})),
        ("\x1e{torn", ("{torn", None)),
        ("\x1e[1]", ("[1]", None)),
    ],
)
def test_records_among_other_lines(line: str, expected: tuple[str, object]) -> None:
    assert split(line) == expected


@pytest.mark.parametrize(
    ("job", "journalled", "code"),
    [
        (Job(status="RUNNING"), 0, None),
        (Job(status="PENDING"), None, None),
        (Job(status="SUCCEEDED", driver_exit_code=0), None, 0),
        (Job(status="FAILED", driver_exit_code=5), 0, 5),
        (Job(status="STOPPED"), None, 6),
        (Job(status="STOPPED"), 1, 1),
        (Job(status="FAILED"), None, 8),
        (Job(status="FAILED", driver_exit_code=-9), None, 8),
    ],
)
def test_the_exit_code_is_the_drivers_by_the_record_of_the_job(
    job: Job, journalled: int | None, code: int | None
) -> None:
    assert job.exit_code(journalled) == code


def submission(run: str, at: float) -> Submission:
    return Submission(
        run=run, dashboard="http://h:1", pipeline="p", file="f.yaml", options=("-S", "a=1"), content="c", at=at
    )


def test_a_submitted_run_is_listed_before_its_driver_has_said_anything(tmp_path: Path) -> None:
    for name, at in (("zebra", 1_700_000_000.0), ("ant", 1_800_000_000.0)):
        write_submission(tmp_path / name, submission(name, at))
        (tmp_path / name / FILE).touch()
        write_job(tmp_path / name, Job(status="PENDING"))
    assert read_submission(tmp_path / "ant") == submission("ant", 1_800_000_000.0)
    assert [record.run for record in list_runs(tmp_path)] == ["ant", "zebra"], "by time, not by name"
    assert find_run(tmp_path, "last").name == "ant"
    record = load_run(tmp_path / "ant")
    assert (record.state, record.pipeline, life(tmp_path / "ant")) == (RunState.SUBMITTED, "p", Life.SUBMITTED)
    mirrored(tmp_path / "ant", told())
    assert load_run(tmp_path / "ant").exit_code is None, "its job has not ended"
    write_job(tmp_path / "ant", Job(status="SUCCEEDED", driver_exit_code=0))
    assert load_run(tmp_path / "ant").state is RunState.DONE
    write_job(tmp_path / "zebra", Job(status="FAILED"))
    assert load_run(tmp_path / "zebra").exit_code == 8
