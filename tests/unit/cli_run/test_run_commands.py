"""`advorch run`: data on stdout, words on stderr, and exit codes that mean something."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from advorch.artifacts import ArtifactType, Output
from advorch.cli.run import app
from advorch.cli.syncing import masked
from advorch.errors import UsageError
from advorch.events import CellFinished, CellReported, CellStarted, Event, RunFinished, RunStarted, Status
from advorch.store.manifest import Manifest
from advorch.store.opening import open_store
from advorch.tracking.journal import Journal
from advorch.tracking.liveness import write_driver

PGD = "attack[name=pgd]"
KEY = "a" * 64
FIRST, SECOND = "20261120-101502-3f9a", "20261121-090000-77c1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def story(home: Path, accuracy: float = 0.41, code: int | None = 0) -> list[Event]:
    events: list[Event] = [
        RunStarted(
            run="r", pipeline="mnist", file="f.yaml", profile="", executor="inline", storage=str(home / "store"),
            version="0.1.0", params={"epsilon": 0.3}, cells=("plain", PGD, "report"),
        ),
        CellFinished(
            cell="plain", stage="plain", component="train/erm", status=Status.CACHED, key="b" * 64,
            metrics={"clean_accuracy": 0.99},
        ),
        CellStarted(cell=PGD, stage="attack", component="attack/pgd", key=KEY, params={"epsilon": accuracy}),
        CellReported(cell=PGD, step=1, metrics={"robust_accuracy": 0.9}),
    ]  # fmt: skip
    if code is not None:
        events += [
            CellFinished(
                cell=PGD, stage="attack", component="attack/pgd", status=Status.DONE if not code else Status.FAILED,
                key=KEY, metrics={"robust_accuracy": accuracy}, seconds=3.25, outputs={"report": "x"},
                message="no memory" if code else "", error_class="oom" if code else "",
            ),
            RunFinished(run="r", exit_code=code, seconds=4.0),
        ]  # fmt: skip
    return events


def write(home: Path, run: str, events: list[Event]) -> Path:
    folder = home / "runs" / run
    ticks = iter(range(1_795_000_000, 1_795_100_000))
    journal = Journal(folder, clock=lambda: float(next(ticks)))
    for event in events:
        journal.emit(event)
    journal.close()
    return folder


def print_into(folder: Path, name: str, text: str) -> None:
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / f"{name}.log").write_text(text)


def test_list_newest_first_as_table_and_as_data(home: Path) -> None:
    write(home, FIRST, story(home))
    write(home, SECOND, story(home, code=1))
    lines = call("list").stdout.splitlines()
    assert lines[0].split() == ["run", "pipeline", "state", "exit", "code", "cells", "seconds", "started"]
    assert lines[2].startswith(f"{SECOND}  mnist     failed")
    rows = json.loads(call("list", "-o", "json").stdout)
    assert [(row["run"], row["state"], row["exit_code"]) for row in rows] == [(SECOND, "failed", 1), (FIRST, "done", 0)]
    assert rows[1]["cells"] == ["1 cached", "1 done", "1 pending"]
    limited = call("list", "-n", "1", "-o", "ndjson")
    assert [json.loads(line)["run"] for line in limited.stdout.splitlines()] == [SECOND]
    assert "1 older runs" in limited.stderr


def test_an_empty_list_is_an_empty_table_and_empty_data(home: Path) -> None:
    assert call("list", "-o", "json").stdout == "[]\n"
    assert call("list").exit_code == 0


def test_show_cells_with_metrics_and_what_to_do_next(home: Path) -> None:
    write(home, FIRST, story(home, code=1))
    result = call("show", "2026")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["cell", "status", "seconds", "key", "metrics"]
    assert lines[3].split() == [PGD, "failed", "3.25", "aaaaaaaaaaaa", "robust_accuracy=0.41"]
    assert f"{PGD}: no memory" in result.stderr
    assert f"Next:\n  advorch run logs {FIRST}\n" in result.stderr
    row = json.loads(call("show", "last", "-o", "json").stdout)[1]
    assert (row["key"], row["metrics"], row["params"]) == (KEY, {"robust_accuracy": 0.41}, {"epsilon": 0.41})


def test_an_unknown_run_is_a_usage_error(home: Path) -> None:
    write(home, FIRST, story(home))
    with pytest.raises(UsageError, match="no run '1999'"):
        call("show", "1999")


def test_logs_of_all_cells_of_one_stage_and_their_ends(home: Path) -> None:
    folder = write(home, FIRST, story(home))
    print_into(folder, "plain", "epoch 1\nepoch 2\n")
    print_into(folder, "attack.name=pgd", "step 1\nstep 2")
    assert call("logs").stdout == "".join(
        f"{cell} | {line}\n"
        for cell, line in [("plain", "epoch 1"), ("plain", "epoch 2"), (PGD, "step 1"), (PGD, "step 2")]
    )
    assert call("logs", "--stage", "attack").stdout == "step 1\nstep 2\n"
    assert call("logs", "--stage", "plain", "--tail", "1").stdout == "epoch 2\n"


@pytest.mark.parametrize("code", [0, 1, 6])
def test_following_an_ended_run_returns_its_code(home: Path, code: int) -> None:
    folder = write(home, FIRST, story(home, code=code))
    print_into(folder, "attack.name=pgd", "step 1\n")
    result = call("logs", "-f", "--stage", "attack")
    assert result.exit_code == code
    assert "step 1\n" in result.stdout
    assert f"{PGD} {'failed' if code else 'done'} in 3.2s" in result.stderr
    assert "plain" not in result.stderr


def test_following_a_run_whose_driver_went_away_says_so(home: Path) -> None:
    write(home, FIRST, story(home, code=None))
    result = call("logs", "-f")
    assert result.exit_code == 8
    assert "its driver is gone" in result.stderr


DRIVER = """
import signal, sys, time
from pathlib import Path
from advorch.events import RunFinished
from advorch.tracking.journal import Journal
from advorch.tracking.liveness import write_driver

folder = Path(sys.argv[1])
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
write_driver(folder)
print("up", flush=True)
while not stopped:
    time.sleep(0.02)
(folder / "logs").mkdir()
(folder / "logs" / "plain.log").write_text("last words\\n")
journal = Journal(folder)
journal.emit(RunFinished(run="r", exit_code=6, seconds=1.0))
journal.close()
"""


def test_a_live_run_is_stopped_and_followed_to_its_end(home: Path) -> None:
    folder = write(home, FIRST, story(home, code=None))
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        driver.stdout.readline()
        command = [sys.executable, "-c", "from advorch.cli.run import app; app()", "logs", "-f"]
        follower = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        with pytest.raises(UsageError, match="is running"):
            call("rm", FIRST)
        result = call("stop", FIRST)
        assert result.exit_code == 0
        assert "was asked to stop" in result.stderr
        assert driver.wait(20) == 0
        assert follower.communicate(timeout=20)[0] == "plain | last words\n"
        assert follower.returncode == 6
    finally:
        driver.kill()
        driver.communicate()


def test_stopping_what_does_not_run_is_polite(home: Path) -> None:
    write(home, FIRST, story(home, code=1))
    write(home, SECOND, story(home, code=None))
    ended, gone = call("stop", FIRST), call("stop", SECOND)
    assert (ended.exit_code, gone.exit_code) == (0, 0)
    assert "has ended already, with exit code 1" in ended.stderr
    assert "its driver is gone" in gone.stderr


def test_a_run_on_another_host_is_not_touched(home: Path) -> None:
    folder = write(home, FIRST, story(home, code=None))
    write_driver(folder)
    record = json.loads((folder / "driver.json").read_text())
    (folder / "driver.json").write_text(json.dumps(record | {"host": "node7"}))
    with pytest.raises(UsageError, match="another host") as error:
        call("stop", FIRST)
    assert "node7" in error.value.hint
    with pytest.raises(UsageError):
        call("rm", FIRST)
    assert call("rm", "--force", FIRST).exit_code == 0
    assert not folder.exists()


def test_compare_side_by_side(home: Path) -> None:
    write(home, FIRST, story(home))
    write(home, SECOND, story(home, accuracy=0.51))
    result = call("compare", FIRST, SECOND, "-o", "json")
    rows = {(row["cell"], row["metric"]): row for row in json.loads(result.stdout)}
    assert rows[PGD, "robust_accuracy"]["difference"] == pytest.approx(0.1)
    assert rows["plain", "clean_accuracy"]["difference"] == 0
    assert f"{PGD}: epsilon is 0.41 / 0.51" in result.stderr
    with pytest.raises(UsageError, match="two different runs"):
        call("compare", FIRST, FIRST)


def test_report_copies_what_the_store_has_and_links_it(home: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "figures").mkdir(parents=True)
    (made / "report.html").write_text("<h1>robust?</h1>")
    said = {
        "models": {"erm mlp": "gone"},
        "headline": {"columns": ["model", "robust"], "rows": [[["erm mlp", ""], ["23%", "9 to 31"]]]},
    }
    (made / "findings.json").write_text(json.dumps(said))
    (made / "figures" / "curve.png").write_bytes(b"png")
    store = open_store(str(home / "store"))
    output = store.put_output(Output(type=ArtifactType.REPORT, folder=made))
    store.commit(Manifest(key=KEY, parts={}, component="attack/pgd", outputs={"report": output}))
    folder = write(home, FIRST, story(home))
    for _ in range(2):
        result = call("report", FIRST)
        page = Path(result.stdout.strip())
        assert page == folder / "reports" / "index.html"
        assert 'href="attack.name%3Dpgd/report/report.html"' in page.read_text()
        assert '<td>23% <span class="interval">9 to 31</span></td>' in page.read_text()
        assert (page.parent / "attack.name=pgd" / "report" / "report.html").read_text() == "<h1>robust?</h1>"
        assert (page.parent / "attack.name=pgd" / "report" / "figures" / "curve.png").exists()


def test_a_report_of_a_run_whose_results_were_collected_is_still_a_page(home: Path) -> None:
    write(home, FIRST, story(home, code=1))
    page = Path(call("report").stdout.strip())
    assert "no memory" in page.read_text()


def test_rm_removes_the_folder_and_nothing_else(home: Path) -> None:
    write(home, FIRST, story(home))
    other = write(home, SECOND, story(home))
    assert f"removed {FIRST}" in call("rm", FIRST).stderr
    assert [path.name for path in (home / "runs").iterdir()] == [SECOND]
    assert other.exists()


def test_sync_needs_a_run_with_mlflow_and_all_passes_the_others_over(home: Path) -> None:
    write(home, FIRST, story(home))
    with pytest.raises(UsageError, match="without MLflow"):
        call("sync", FIRST)
    result = call("sync", "--all", "-o", "json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:se:cret@db/mlflow", "postgresql://me:***@db/mlflow"),
        ("http://me@host:5000", "http://me@host:5000"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_passwords_in_addresses_are_not_printed(uri: str, shown: str) -> None:
    assert masked(uri) == shown


def test_sync_brings_a_run_to_mlflow_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, make_job: Callable[[Path, str], Any]
) -> None:
    folder = write(home, FIRST, story(home))
    uri = f"sqlite:///{home / 'mlflow.db'}"
    make_job(folder, uri)
    [row] = json.loads(call("sync", "--all", "-o", "json").stdout)
    assert (row["run"], row["result"], row["uri"]) == (FIRST, "synced", uri)
    assert json.loads(call("sync", "--all", "-o", "json").stdout) == []


def test_sync_with_a_dead_server_says_why_and_ends_with_eight(
    home: Path, monkeypatch: pytest.MonkeyPatch, make_job: Callable[[Path, str], Any]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("advorch.cli.syncing.PATIENCE", 0.2)
    folder = write(home, FIRST, story(home))
    make_job(folder, "http://127.0.0.1:9")
    result = call("sync", FIRST, "-o", "json")
    assert result.exit_code == 8
    [row] = json.loads(result.stdout)
    assert row["result"] == "behind"
    assert "127.0.0.1" in row["reason"]


@pytest.fixture
def make_job() -> Callable[[Path, str], Any]:
    from advorch.tracking.outbox import MlflowJob, write_job

    def make(folder: Path, uri: str) -> None:
        store = str(folder.parent.parent / "store")
        location = (folder.parent.parent / "files").as_uri()
        write_job(folder, MlflowJob(uri=uri, experiment="mnist", store=store, artifact_location=location))

    return make


def test_looking_at_runs_loads_nothing_heavy(home: Path) -> None:
    write(home, FIRST, story(home))
    script = (
        "import sys\nfrom advorch.cli.run import app\n"
        "try:\n    app(['show', 'last'])\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "print(sorted({'torch', 'ray', 'mlflow', 'numpy', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    environment = os.environ | {"TYPER_USE_RICH": "0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_interrupting_a_follower_leaves_the_run_alone(home: Path) -> None:
    folder = write(home, FIRST, story(home, code=None))
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        driver.stdout.readline()
        command = [sys.executable, "-c", "from advorch.cli.run import app; app()", "logs", "-f"]
        follower = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert follower.stderr is not None
        follower.stderr.readline()
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=20)
        assert follower.returncode == 130
        assert driver.poll() is None
    finally:
        driver.kill()
        driver.communicate()
