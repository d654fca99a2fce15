"""The read side: what a run's folder says, and whether its driver lives."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from advorch.errors import FormatTooNew, InfrastructureError, UsageError
from advorch.events import CellReported, CellStarted, CellWaiting, Event, RunFinished
from advorch.tracking.compare import compare, compare_params
from advorch.tracking.liveness import FILE, Life, ask_to_stop, birth, life, read_driver, this_driver, write_driver
from advorch.tracking.logs import LogTail, concerns
from advorch.tracking.names import flat
from advorch.tracking.page import Finding, Link, breakable, render_page, stages_of
from advorch.tracking.runs import RunState, find_run, list_runs, load_run

ATTACK = "attack[model=plain,name=pgd]"
MakeRun = Callable[[Path, list[Event]], Path]

SLEEPER = """
import sys, time
from pathlib import Path
from advorch.tracking.liveness import write_driver
write_driver(Path(sys.argv[1]))
print("up", flush=True)
time.sleep(60)
"""


def sleeper(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", SLEEPER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_a_driver_lives_until_it_ends_and_its_id_used_again_is_not_it(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    try:
        assert life(tmp_path) is Life.ALIVE
        ask_to_stop(tmp_path)
        assert process.wait(10) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
    assert life(tmp_path) is Life.DEAD
    with pytest.raises(InfrastructureError, match="gone"):
        ask_to_stop(tmp_path)
    record = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(record | {"pid": os.getpid()}))
    assert life(tmp_path) is Life.DEAD


def test_a_child_that_nobody_reaped_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "print('up')"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert birth(process.pid) is None
    process.communicate()


def test_a_driver_on_another_host_cannot_be_asked(tmp_path: Path) -> None:
    assert life(tmp_path) is Life.DEAD
    driver = write_driver(tmp_path)
    assert driver == this_driver() == read_driver(tmp_path)
    record = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(record | {"host": "elsewhere"}))
    assert life(tmp_path) is Life.ELSEWHERE
    (tmp_path / FILE).write_text(json.dumps(record | {"format": "driver/2"}))
    with pytest.raises(FormatTooNew):
        life(tmp_path)


def test_a_run_as_its_journal_tells_it(tmp_path: Path, make_run: MakeRun, events: list[Event]) -> None:
    record = load_run(make_run(tmp_path / "20261120-101502-3f9a", events))
    assert (record.run, record.pipeline, record.exit_code) == ("20261120-101502-3f9a", "mnist", 1)
    assert record.state is RunState.FAILED
    assert record.seconds == len(events) - 1
    statuses = {cell.cell: cell.status for cell in record.cells.values()}
    assert statuses == {
        "plain": "cached", ATTACK: "done", "robust": "done", "robust/1": "stopped", "bad": "failed", "late": "skipped"
    }  # fmt: skip
    attack = record.cells[ATTACK]
    assert (attack.attempt, attack.metrics, attack.seconds) == (2, {"robust_accuracy": 0.41}, 3.2)
    assert attack.params["epsilon"] == 0.3
    assert record.cells["plain"].inputs == {"data": ["d" * 64]}
    assert record.cells["bad"].error_class == "oom"
    assert record.counts() == {"cached": 1, "done": 2, "failed": 1, "skipped": 1}, "the pipeline's own"


@pytest.mark.parametrize(("code", "state"), [(0, RunState.DONE), (5, RunState.FAILED), (6, RunState.STOPPED)])
def test_states_of_runs_that_ended(
    tmp_path: Path, make_run: MakeRun, events: list[Event], code: int, state: RunState
) -> None:
    ended = [events[0], RunFinished(run="r", exit_code=code, seconds=1.0)]
    assert load_run(make_run(tmp_path, ended)).state is state


def test_a_journal_without_an_end_is_running_or_interrupted(
    tmp_path: Path, make_run: MakeRun, events: list[Event]
) -> None:
    started = CellStarted(cell=ATTACK, stage="attack", component="c", key="k")
    reported = CellReported(cell=ATTACK, step=4, metrics={"loss": 0.5})
    waiting = CellWaiting(cell="bad", reason="1 GPU")
    folder = make_run(tmp_path, [events[0], started, reported, waiting])
    record = load_run(folder)
    assert record.state is RunState.INTERRUPTED
    assert (record.cells[ATTACK].status, record.cells["bad"].status) == ("interrupted", "interrupted")
    write_driver(folder)
    record = load_run(folder)
    assert record.state is RunState.RUNNING
    cell = record.cells[ATTACK]
    assert (cell.status, cell.step, cell.metrics) == ("running", 4, {"loss": 0.5})
    assert (record.cells["bad"].status, record.cells["late"].status) == ("waiting", "pending")


def test_runs_are_listed_newest_first_without_those_that_cannot_be_read(
    tmp_path: Path, make_run: MakeRun, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("20261120-1", "20261121-1", "20261122-1"):
        make_run(tmp_path / name, events)
    journal = tmp_path / "20261121-1" / "journal.jsonl"
    journal.write_text(journal.read_text().replace("journal/1", "journal/9"))
    (tmp_path / "empty").mkdir()
    assert [record.run for record in list_runs(tmp_path)] == ["20261122-1", "20261120-1"]
    assert "20261121-1 is left out" in caplog.text
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_by_id_by_beginning_or_the_last(tmp_path: Path, make_run: MakeRun, events: list[Event]) -> None:
    with pytest.raises(UsageError, match="no runs"):
        find_run(tmp_path, "last")
    for name in ("20261120-1", "20261120-12", "20261121-1"):
        make_run(tmp_path / name, events[:1])
    assert find_run(tmp_path, "last").name == "20261121-1"
    assert find_run(tmp_path, "20261121").name == "20261121-1"
    assert find_run(tmp_path, "20261120-1").name == "20261120-1"
    with pytest.raises(UsageError, match="could be any of 2"):
        find_run(tmp_path, "20261120")
    for missing in ("2025", ""):
        with pytest.raises(UsageError, match="no run"):
            find_run(tmp_path, missing)


def test_runs_side_by_side(tmp_path: Path, make_run: MakeRun, events: list[Event]) -> None:
    better = [
        *events,
        CellStarted(cell=ATTACK, stage="attack", component="c", key="k", params={"epsilon": 0.1}),
        CellReported(cell=ATTACK, step=1, metrics={"robust_accuracy": 0.51, "new": 1.0}),
    ]
    records = [load_run(make_run(tmp_path / "a", events)), load_run(make_run(tmp_path / "b", better))]
    rows = compare(records)
    assert {"cell": "plain", "metric": "clean_accuracy", "a": 0.99, "b": 0.99, "difference": 0.0} in rows
    [changed] = [row for row in rows if row["cell"] == ATTACK and row["metric"] == "robust_accuracy"]
    assert changed["difference"] == pytest.approx(0.1)
    [new] = [row for row in rows if row["metric"] == "new"]
    assert (new["a"], new["b"], new["difference"]) == (None, 1.0, None)
    differing = {row["parameter"]: (row["a"], row["b"]) for row in compare_params(records)}
    assert differing["epsilon"] == ("0.3", "0.1")
    assert set(differing) == {"epsilon", "note"}


def test_the_page_shows_the_run_and_escapes_what_comes_from_it(
    tmp_path: Path, make_run: MakeRun, events: list[Event]
) -> None:
    record = load_run(make_run(tmp_path, events))
    record.cells["bad"].message = "<script>alert(1)</script>"
    text = render_page(record, [Link("report", "report/report.html", "report/report/report.html")], flat(record.params))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert '<a href="report/report/report.html">report: report/report.html</a>' in text
    assert text.count("<tr>") >= len(record.cells)
    assert ">0.41<" in text
    assert ">failed (oom)<" in text
    assert not re.search(r"https?:|<script|<link", text), "the page needs nothing from elsewhere"


def test_the_page_calls_models_by_the_stages_of_the_run(tmp_path: Path, make_run: MakeRun, events: list[Event]) -> None:
    record = load_run(make_run(tmp_path, events))
    record.cells["plain"].outputs = {"model": "d1"}
    record.cells["bad"].outputs, record.cells["bad"].missing = {"model": "d1"}, ("attack[name=pgd]", "other")
    stages = stages_of(record, {"erm mlp": "d1", "trades mlp": "d2"})
    assert stages == {"erm mlp": "plain = bad"}
    found = Finding(
        cell="report", href="r/report.html", columns=("model", "robust accuracy"), stages=stages,
        rows=((("erm mlp", ""), ("23.1%", "19.1 to 27.8")), (("<b>", ""), ("50.0%", ""))), notes=("be <careful>",),
    )  # fmt: skip
    text = render_page(record, [], {}, [found])
    assert '<th scope="row">plain = bad</th><td>erm mlp</td>' in text
    assert '23.1% <span class="interval">19.1 to 27.8</span>' in text
    assert "be &lt;careful&gt;" in text
    assert "<td>&lt;b&gt;</td>" in text
    assert "without attack[name=pgd], other, which did not succeed" in text


def test_addresses_break_where_their_parts_begin_and_stay_escaped() -> None:
    assert str(breakable("attack[name=<i>,model=b]")) == "attack<wbr>[name=&lt;i&gt;,<wbr>model=b]"


def test_logs_from_the_start_from_the_end_and_as_they_come(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.log").write_text("one\ntwo\nthree\nfo")
    logs = LogTail(tmp_path, ["a", "missing"])
    assert [line for _, line in logs.fresh()] == ["one", "two", "three"]
    assert list(logs.fresh()) == []
    with (folder / "a.log").open("a") as file:
        file.write("ur\n")
    logs.add("b")
    (folder / "b.log").write_text("hello\n")
    assert list(logs.fresh()) == [("a", "four"), ("b", "hello")]
    tail = LogTail(tmp_path, ["a"])
    tail.skip_to_last(2)
    assert [line for _, line in tail.fresh()] == ["three", "four"]


@pytest.mark.parametrize(
    ("cell", "stage", "concerned"),
    [
        ("attack[name=pgd]", "attack", True), ("attack[name=pgd]", "attack[name=pgd]", True),
        ("attacker", "attack", False),
        ("robust/3", "robust", True), ("x", "", True),
    ],
)  # fmt: skip
def test_which_cells_a_stage_names(cell: str, stage: str, concerned: bool) -> None:
    assert concerns(cell, stage) is concerned
