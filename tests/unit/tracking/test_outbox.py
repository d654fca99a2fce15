"""The sink as a process: killed, starved of its server, and caught up with later."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from advorch.events import CellFinished, CellReported, CellStarted, Event, RunFinished, RunStarted, Status
from advorch.tracking.journal import FILE, Journal
from advorch.tracking.liveness import write_driver
from advorch.tracking.outbox import JOB_FILE, LOG_FILE, MlflowJob, Outbox, SyncResult, read_job, sink_environment, start
from advorch.tracking.replay import CURSOR_FILE, Cursor
from advorch.tracking.sinks import Fanout

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:.*type hint"),
]

ENTRY = "advorch.session.mlflow_sink"
RUN = "20261120-101502-3f9a"
MakeRun = Callable[[Path, list[Event]], Path]


def cells(count: int, steps: int = 5) -> Iterator[Event]:
    """The events of some cells, one after another."""
    for index in range(count):
        cell = f"c{index}"
        yield CellStarted(cell=cell, stage=cell, component="train/x", key=f"k{index}", params={"lr": 0.1})
        for step in range(steps):
            yield CellReported(cell=cell, step=step, metrics={"loss": 1.0 / (step + 1)})
        yield CellFinished(
            cell=cell, stage=cell, component="train/x", status=Status.DONE, key=f"k{index}", metrics={"loss": 0.1}
        )


def whole_run(count: int) -> list[Event]:
    head = RunStarted(run=RUN, pipeline="p", file="f", profile="", executor="inline", storage="", version="0")
    return [head, *cells(count), RunFinished(run=RUN, exit_code=0, seconds=1.0)]


def check_complete(uri: str, count: int, experiment: str = "mnist", steps: int = 5) -> None:
    """Every run once, every metric point once, everything ended."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id], max_results=5000)
    names = Counter(run.data.tags["advorch.cell"] for run in found)
    assert names == Counter(["", *(f"c{index}" for index in range(count))])
    for run in found:
        assert run.info.status == "FINISHED"
        if run.data.tags["advorch.cell"]:
            history = client.get_metric_history(run.info.run_id, "loss")
            assert sorted(item.step for item in history) == sorted([*range(steps), steps - 1])


def wait_until(true: Callable[[], bool], seconds: float = 100.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_job_is_read_back_and_a_run_without_one_says_so(tmp_path: Path) -> None:
    job = MlflowJob(uri="u", experiment="e", store="s", models=("a", "b"), log_samples=True, disabled_plugins=("x",))
    assert read_job(tmp_path) is None
    Outbox(tmp_path, job, entry=ENTRY)
    assert read_job(tmp_path) == job
    assert (tmp_path / JOB_FILE).stat().st_mode & 0o077 == 0
    (tmp_path / JOB_FILE).write_text((tmp_path / JOB_FILE).read_text().replace('"log_samples"', '"unheard"'))
    assert read_job(tmp_path) == replace(job, log_samples=False)


def test_a_cached_run_starts_no_process(tmp_path: Path, job: MlflowJob) -> None:
    outbox = Outbox(tmp_path, job, entry=ENTRY)
    outbox.emit(whole_run(0)[0])
    outbox.emit(CellFinished(cell="a", stage="a", component="c", status=Status.CACHED))
    assert outbox.pid is None
    assert outbox.drain(0.0)


def test_the_process_gets_short_patience_no_telemetry_and_our_imports() -> None:
    user = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60", "MLFLOW_DISABLE_TELEMETRY": "false"}
    found = sink_environment(user, ["", "/somewhere/else", f"{sys.prefix}/lib"])
    assert found["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "60"
    assert found["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert (found["MLFLOW_DISABLE_TELEMETRY"], found["DO_NOT_TRACK"]) == ("true", "true")
    assert found["PYTHONPATH"].split(os.pathsep) == [str(Path.cwd()), "/somewhere/else"]


def test_a_live_run_is_recorded_while_it_runs_and_drained_at_its_end(tmp_path: Path, job: MlflowJob) -> None:
    folder = tmp_path / "runs" / RUN
    write_driver(folder)
    outbox = Outbox(folder, job, entry=ENTRY)
    sinks = Fanout(Journal(folder), outbox)
    events = whole_run(3)
    for event in events[:-1]:
        sinks.emit(event)
    wait_until(lambda: Cursor(folder / CURSOR_FILE).read() == (folder / FILE).stat().st_size)
    sinks.emit(events[-1])
    assert outbox.drain(30.0), (folder / LOG_FILE).read_text()
    sinks.close()
    check_complete(job.uri, 3)


def test_killed_in_the_middle_and_synced_later_leaves_no_duplicate(
    tmp_path: Path, make_run: MakeRun, job: MlflowJob
) -> None:
    folder = make_run(tmp_path / "runs" / RUN, whole_run(30))
    Outbox(folder, job, entry=ENTRY)
    size = (folder / FILE).stat().st_size
    process = start(folder, ENTRY)
    wait_until(lambda: Cursor(folder / CURSOR_FILE).read() > size // 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < Cursor(folder / CURSOR_FILE).read() < size
    assert start(folder, ENTRY, ["--once"]).wait() == SyncResult.SYNCED
    check_complete(job.uri, 30)
    assert not (folder / "mlruns").exists()


DYING = """
import sys
from pathlib import Path
from advorch.tracking.liveness import write_driver
write_driver(Path(sys.argv[1]))
"""


def test_a_driver_that_died_ends_the_process_and_its_runs(tmp_path: Path, make_run: MakeRun, job: MlflowJob) -> None:
    from mlflow import MlflowClient

    folder = make_run(tmp_path / "runs" / RUN, whole_run(2)[:-2])
    subprocess.run([sys.executable, "-c", DYING, str(folder)], check=True)
    Outbox(folder, job, entry=ENTRY)
    assert start(folder, ENTRY).wait() == SyncResult.SYNCED
    client = MlflowClient(job.uri)
    runs = client.search_runs([client.get_experiment_by_name("mnist").experiment_id])
    assert {run.data.tags["advorch.cell"]: run.info.status for run in runs} == {
        "": "KILLED", "c0": "FINISHED", "c1": "KILLED"
    }  # fmt: skip


def test_a_dead_server_costs_the_run_nothing_and_its_end_the_drain_at_most(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "runs" / RUN
    write_driver(folder)
    job = MlflowJob(uri=f"http://127.0.0.1:{free_port()}", experiment="mnist", store=str(tmp_path / "store"))
    outbox = Outbox(folder, job, entry=ENTRY, drain=1.0)
    sinks = Fanout(Journal(folder), outbox)
    began = time.monotonic()
    for event in whole_run(50):
        sinks.emit(event)
    assert time.monotonic() - began < 1.0
    pid = outbox.pid
    began = time.monotonic()
    sinks.close()
    assert time.monotonic() - began < 2.0
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert f"advorch run sync {RUN}" in caplog.text


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A server with its database in a folder; ended by its process group, which it has to itself."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder / "files"),
    ]  # fmt: skip
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: _answers(port), 120)
        yield process
    finally:
        end_group(process)


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """The server's own process group: it was started as the leader of a new session."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_server_that_dies_and_comes_back_gets_everything_once(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "server.db").write_bytes(empty_database.read_bytes())
    port = free_port()
    folder = tmp_path / "runs" / RUN
    write_driver(folder)
    job = MlflowJob(uri=f"http://127.0.0.1:{port}", experiment="mnist", store=str(tmp_path / "store"))
    outbox = Outbox(folder, job, entry=ENTRY, drain=3.0)
    sinks = Fanout(Journal(folder), outbox)
    events = whole_run(40)
    with mlflow_server(tmp_path / "server", port) as server:
        feeder = threading.Thread(target=lambda: [sinks.emit(event) for event in events[:-1]])
        feeder.start()
        feeder.join()
        wait_until(lambda: Cursor(folder / CURSOR_FILE).read() > 3000)
        end_group(server)
        cut = Cursor(folder / CURSOR_FILE).read()
        sinks.emit(events[-1])
        sinks.close()
    assert cut < (folder / FILE).stat().st_size
    assert start(folder, ENTRY, ["--once", "--patience", "1"]).wait() == SyncResult.BEHIND
    with mlflow_server(tmp_path / "server", port):
        assert start(folder, ENTRY, ["--once"]).wait() == SyncResult.SYNCED, (folder / LOG_FILE).read_text()
        assert start(folder, ENTRY, ["--once"]).wait() == SyncResult.SYNCED
        check_complete(job.uri, 40)
