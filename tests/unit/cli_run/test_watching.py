"""Watching a run from outside its driver, and what is said of one that was submitted."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from advorch.cli.refreshing import refresh_open
from advorch.cli.watching import last_words, nothing_to_check, watch_run
from advorch.errors import InfrastructureError
from advorch.events import CellFinished, CellStarted, Event, RunFinished, RunStarted, Status
from advorch.session.remote import Follower, explanation, refresh, strange_host
from advorch.tracking.journal import Journal
from advorch.tracking.liveness import write_driver
from advorch.tracking.mirror import Mirror
from advorch.tracking.runs import RunState, load_run
from advorch.tracking.stream import EventStream
from advorch.tracking.submission import Job, Submission, read_job, write_job, write_submission

BEGIN: list[Event] = [
    RunStarted(
        run="r", pipeline="p", file="f.yaml", profile="", executor="inline", storage="s", version="1", cells=("a",)
    ),
    CellStarted(cell="a", stage="a", component="train/x", key="k"),
]
END: list[Event] = [
    CellFinished(cell="a", stage="a", component="train/x", status=Status.FAILED, message="no luck", error_class="user"),
    RunFinished(run="r", exit_code=1, seconds=1.0),
]


def write(folder: Path, events: list[Event]) -> None:
    journal = Journal(folder)
    for event in events:
        journal.emit(event)
    journal.close()


def submitted(folder: Path, storage: str = "/store") -> Path:
    asked = Submission(
        run=folder.name, dashboard="http://127.0.0.1:9", pipeline="p", file="f.yaml", options=(), content="", at=1.0,
        storage=storage,
    )  # fmt: skip
    write_submission(folder, asked)
    write_job(folder, Job(status="RUNNING"))
    (folder / "journal.jsonl").touch()
    return folder


def test_changes_are_said_as_they_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    write_driver(folder)
    write(folder, BEGIN)
    later = threading.Timer(0.5, write, (folder, END))
    later.start()
    assert watch_run(folder, nothing_to_check) == 1
    later.join()
    said = capsys.readouterr()
    assert said.out == ""
    assert [word in said.err for word in ("a started", "no luck", "1 failed")] == [True] * 3


def test_a_driver_that_went_away_leaves_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "run", BEGIN)
    assert watch_run(tmp_path / "run", nothing_to_check) is None
    assert last_words(tmp_path / "run", None) == 8
    assert "its driver is gone" in capsys.readouterr().err


def test_a_submitted_run_ends_with_its_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = submitted(tmp_path / "run")
    write(folder, [*BEGIN, *END])
    later = threading.Timer(0.5, write_job, (folder, Job(status="FAILED", driver_exit_code=5)))
    later.start()
    began = time.monotonic()
    assert watch_run(folder, nothing_to_check) == 5
    assert time.monotonic() - began > 0.4
    later.join()
    assert last_words(folder, 5) == 5
    assert "its driver is gone" not in capsys.readouterr().err


def test_why_a_driver_refused_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = submitted(tmp_path / "run", storage="s3://bucket/x")
    mirror = Mirror.open(folder)
    assert mirror is not None
    with mirror:
        mirror.feed("Running entrypoint\nerror[E012] p.yaml:1:1  unknown key\n  hint: none\n")
    write_job(folder, Job(status="FAILED", driver_exit_code=3))
    assert explanation(folder) == ["error[E012] p.yaml:1:1  unknown key", "  hint: none"]
    assert last_words(folder, 3) == 3
    assert "unknown key" in capsys.readouterr().err


def test_a_driver_on_another_machine_keeps_results_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = submitted(tmp_path / "run")
    mirror = Mirror.open(folder)
    assert mirror is not None
    with mirror, (tmp_path / "out").open("w+") as out:
        EventStream(out).greet("node7", "0.1.0")
        out.seek(0)
        mirror.feed(out.read())
    assert strange_host(folder) == "node7"
    last_words(folder, 0)
    assert "the driver ran on node7, and /store is a folder of that machine" in capsys.readouterr().err


def test_a_cluster_that_is_away_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    folder = submitted(tmp_path / "run")
    with pytest.raises(InfrastructureError, match=r"cannot reach http://127\.0\.0\.1:9"):
        refresh(folder)
    follower = Follower(folder)
    with pytest.raises(InfrastructureError, match="cannot reach"):
        watch_run(folder, follower.check)
    write_job(folder, Job(status="SUCCEEDED", driver_exit_code=0))
    refresh(folder)
    job = read_job(folder)
    assert job is not None
    assert job.driver_exit_code == 0


def test_interrupting_a_watcher_leaves_the_run_alone(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    write_driver(folder)
    write(folder, BEGIN)
    watcher = subprocess.Popen(
        [sys.executable, "-c", "from advorch.cli.app import main; main()", "run", "watch"],
        env=os.environ | {"ADVORCH_HOME": str(tmp_path)}, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert watcher.stderr is not None
    assert "run r" in watcher.stderr.readline()
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=20)
    assert watcher.returncode == 130
    assert (folder / "journal.jsonl").read_text().count("\n") == len(BEGIN)


def test_a_forgotten_run_is_lost_and_keeps_no_other_from_being_refreshed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"b": Job(status="SUCCEEDED", driver_exit_code=0)}
    monkeypatch.setattr(
        "advorch.engine.ray.jobs.Jobs", lambda dashboard: SimpleNamespace(find=known.get, output=lambda id: "")
    )
    for name in ("a", "b"):
        (submitted(tmp_path / name) / "journal.jsonl").touch()
    refresh_open(tmp_path)
    found = {name: load_run(tmp_path / name) for name in ("a", "b")}
    assert {name: record.exit_code for name, record in found.items()} == {"a": 8, "b": 0}
    assert found["b"].state is RunState.DONE
