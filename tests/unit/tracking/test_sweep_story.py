"""What a person sees of a sweep: its trials, one line each, and not the cells inside them."""

import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advorch.cli.following import follow_run
from advorch.cli.run import app as run_app
from advorch.events import (
    CellFinished,
    CellProgressed,
    CellReported,
    CellStarted,
    CellWaiting,
    Event,
    RunFinished,
    RunStarted,
    Status,
)
from advorch.tracking.addresses import is_own, level, line_of
from advorch.tracking.compare import compare
from advorch.tracking.console import LineConsole, QuietConsole, open_console
from advorch.tracking.journal import Journal
from advorch.tracking.lines import Narrator
from advorch.tracking.page import render_page
from advorch.tracking.runs import load_run
from advorch.tracking.searches import Searches
from advorch.tracking.trial_rows import sweep_rows

RUN = "20261120-101502-3f9a"
KEY = "c" * 64
SPACE = {"epsilon": {"uniform": [0.1, 0.4]}, "lr": {"loguniform": [0.001, 0.1]}}
SWEEP = {"space": SPACE, "objective": ["maximize probe.robust_accuracy"], "algorithm": "tpe", "trials": 3}


def drawn(number: int) -> dict[str, float]:
    return {"epsilon": 0.1 + 0.1 * number, "lr": 0.001 * 10**number}


def trial(number: int, status: Status | None = None, **details: object) -> Event:
    """A trial that starts, or one that ends."""
    told = {"cell": f"robust/{number}", "stage": "robust", "component": "core/trial", "key": KEY}
    if status is None:
        return CellStarted(**told, params=drawn(number))  # type: ignore[arg-type]
    return CellFinished(**told, status=status, params=drawn(number), **details)  # type: ignore[arg-type]


def inner(number: int, status: Status | None = None, **details: object) -> Event:
    """The training inside a trial."""
    told = {"cell": f"robust/{number}/train", "stage": "train", "component": "train/erm", "key": f"{number}" * 64}
    if status is None:
        return CellStarted(**told)  # type: ignore[arg-type]
    return CellFinished(**told, status=status, **details)  # type: ignore[arg-type]


def measured(accuracy: float) -> dict[str, float]:
    return {"train.loss": 0.5, "probe.robust_accuracy": accuracy}


def sweep_story() -> list[Event]:
    return [
        RunStarted(
            run="r", pipeline="moons", file="f.yaml", profile="", executor="inline", storage="s", version="0",
            cells=("robust", "final"),
        ),
        CellStarted(cell="robust", stage="robust", component="core/sweep", key="k", params=SWEEP),
        trial(0),
        CellWaiting(cell="robust/0/train", reason="waits for 1 GPU, 0 free"),
        inner(0),
        CellReported(cell="robust/0/train", step=1, metrics={"loss": 2.0}),
        inner(0, Status.DONE, seconds=2.0, metrics={"loss": 0.5}),
        trial(0, Status.DONE, seconds=3.0, metrics=measured(0.6)),
        trial(1),
        CellWaiting(cell="robust/1/train", reason="waits for 1 GPU, 0 free"),
        inner(1),
        CellProgressed(cell="robust/1/train", done=7, total=60),
        CellReported(cell="robust/1", step=2, metrics={"train.loss": 1.5}),
        inner(1, Status.STOPPED),
        trial(1, Status.PRUNED, seconds=1.0),
        trial(2),
        inner(2, Status.FAILED, message="loss is NaN"),
        trial(2, Status.FAILED, seconds=0.5, message="train: loss is NaN"),
        CellFinished(
            cell="robust", stage="robust", component="core/sweep", status=Status.DONE, key="k", seconds=5.0,
            metrics={**dict.fromkeys("abcde", 1.0), "best_trial": 0.0, "probe.robust_accuracy": 0.6},
            outputs={"model": "m" * 64},
        ),
        CellFinished(cell="final", stage="final", component="attack/pgd", status=Status.CACHED, key="f"),
        RunFinished(run="r", exit_code=0, seconds=6.0),
    ]  # fmt: skip


LINES = """\
run r  moons: 2 cells, inline
robust started
robust/0/train waits for 1 GPU, 0 free
robust/0 done in 3.0s epsilon=0.1 lr=0.001: probe.robust_accuracy=0.6, best so far
robust/1 step 2 train.loss=1.5
robust/1 pruned in 1.0s epsilon=0.2 lr=0.01: train.loss=1.5 at step 2
robust/2 failed in 0.5s epsilon=0.3 lr=0.1: train: loss is NaN
robust done in 5.0s probe.robust_accuracy=0.6 best_trial=0 a=1 b=1 (+3 metrics)
final cached
run r 1 done, 1 cached in 6.0s
"""


def told(events: list[Event], asked: str = "") -> list[str]:
    narrator = Narrator(asked=asked)
    return [line for event in events if (line := narrator.line(event))]


def test_one_line_a_trial_and_none_for_what_is_inside() -> None:
    assert "".join(f"{line}\n" for line in told(sweep_story())) == LINES


def test_who_asks_for_a_trial_is_told_of_its_cells() -> None:
    about = [event for event in sweep_story() if getattr(event, "cell", "").startswith("robust/1")]
    assert "robust/1/train started" in told(about, asked="robust/1")
    assert "robust/1/train 7/60 11%" in told(about, asked="robust/1")


def test_a_sweep_that_goes_on_says_in_one_line_what_was_there() -> None:
    found = [trial(number, Status.CACHED, metrics=measured(0.1 * number)) for number in range(9)]
    begin = CellStarted(cell="robust", stage="robust", component="core/sweep", key="k", params=SWEEP)
    again = trial(9)
    assert told([begin, *found, again]) == [
        "robust started",
        "robust goes on after 9 trials of earlier runs, best probe.robust_accuracy=0.8 (robust/8)",
    ]


def test_of_two_goals_the_small_value_is_better_and_what_cannot_win_is_not_best() -> None:
    searches = Searches()
    tale = searches.open(
        CellStarted(
            cell="s",
            stage="s",
            component="core/sweep",
            key="k",
            params={"objective": ["minimize loss"], "trials": None},
        )
    )
    told = {"cell": "s/0", "stage": "s", "component": "core/trial"}
    end = CellFinished(**told, status=Status.DONE, metrics={"loss": 0.5})  # type: ignore[arg-type]
    assert tale.end(end)
    assert tale.best_words() == "best loss=0.5 (s/0)"
    assert not tale.end(replace(end, cell="s/1", metrics={"loss": 0.1}, message="breaks loss > 0.2"))
    assert not tale.end(replace(end, cell="s/2", metrics={"loss": float("nan")}))
    assert not tale.end(replace(end, cell="s/3", metrics={"loss": 0.7}))
    assert tale.end(replace(end, cell="s/4", metrics={"loss": 0.2}))
    assert tale.done == 5
    assert tale.budget is None


def test_trials_of_one_sweep_share_a_pace() -> None:
    stream, now = io.StringIO(), [0.0]
    console = LineConsole(stream, clock=lambda: now[0], every=5.0)
    for event in sweep_story()[:3]:
        console.emit(event)
    for number in range(20):
        now[0] = float(number)
        console.emit(trial(number % 4))
        console.emit(CellProgressed(cell=f"robust/{number % 4}/train", done=number, total=20))
    assert stream.getvalue().count("\n") == 2


def test_who_wants_quiet_is_not_told_of_trials_that_failed() -> None:
    stream = io.StringIO()
    console = QuietConsole(stream)
    for event in sweep_story():
        console.emit(event)
    assert stream.getvalue() == ""


def wait_for_frame(stream: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in re.sub(r"\x1b\[[0-9;]*m| ", "", stream.getvalue()):
        assert time.monotonic() < deadline, f"no frame with {text}"
        time.sleep(0.02)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar_for_the_sweep_and_each_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    console = open_console(stream, {"NO_COLOR": "1"})
    for event in sweep_story():
        console.emit(event)
        if isinstance(event, CellProgressed):
            wait_for_frame(stream, "bestprobe.robust_accuracy=0.6(robust/0)")
            wait_for_frame(stream, "1/3")
            wait_for_frame(stream, "7/60")
            wait_for_frame(stream, "robust/1")
    console.close()
    shown = stream.getvalue()
    assert "robust/0/train " not in re.sub("robust/0/train waits", "", shown), "no bar for a cell inside a trial"
    assert "robust/2 failed in 0.5s" in shown


@pytest.mark.parametrize(
    ("cell", "above"),
    [("a", []), ("a[x=b/c]", []), ("a/3", ["a"]), ("a[x=1]/3/b[y=c/d]", ["a[x=1]", "a[x=1]/3"])],
)
def test_addresses(cell: str, above: list[str]) -> None:
    assert line_of(cell) == [*above, cell]
    assert level(cell) == len(above)
    assert is_own(cell) is (not above)


def test_following_a_run_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(tmp_path)
    for event in sweep_story():
        journal.emit(event)
    journal.close()
    assert follow_run(tmp_path, "", None) == 0
    said = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == LINES.splitlines()


def test_a_run_that_is_told_to_the_end_counts_only_its_own_cells() -> None:
    narrator = Narrator()
    for event in sweep_story():
        narrator.line(event)
    assert dict(narrator.counts) == {Status.DONE: 1, Status.CACHED: 1}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one run."""
    monkeypatch.setenv("ADVORCH_HOME", str(tmp_path))
    journal = Journal(tmp_path / "runs" / RUN)
    for event in sweep_story():
        journal.emit(event)
    journal.close()
    return tmp_path


def test_the_record_of_a_run_keeps_its_own_cells_apart(home: Path) -> None:
    record = load_run(home / "runs" / RUN)
    assert list(record.own) == ["robust", "final"]
    assert record.counts() == {"done": 1, "cached": 1}
    assert [cell.cell for cell in record.trials("robust")] == ["robust/0", "robust/1", "robust/2"]
    assert {row["cell"] for row in compare([record, record])} == {"robust"}
    [sweep] = sweep_rows(record)
    assert [trial.number for trial in sweep.trials] == [0, 1, 2]
    assert sweep.counts() == {"done": 1, "pruned": 1, "failed": 1}
    assert sweep.trials[0].objectives == {"probe.robust_accuracy": 0.6}
    assert sweep.trials[1].step == 2


def test_show_has_cells_and_below_them_the_best_trials(home: Path) -> None:
    table = CliRunner().invoke(run_app, ["show", RUN], catch_exceptions=False)
    cells, trials = table.stdout.partition("trial ")[::2]
    assert [line.split()[0] for line in cells.splitlines()[2:]] == ["robust", "final"]
    assert [line.split()[:2] for line in trials.splitlines()[2:]] == [["0", "done"], ["1", "pruned"], ["2", "failed"]]
    assert "trials of robust: 1 done, 1 pruned, 1 failed; maximize probe.robust_accuracy" in table.stderr
    plain = CliRunner().invoke(run_app, ["show", RUN, "-o", "json"], catch_exceptions=False)
    assert [row["cell"] for row in json.loads(plain.stdout)] == ["robust", "final", "robust/0", "robust/1", "robust/2"]


def test_the_page_has_a_table_of_trials_and_none_of_what_is_inside(home: Path) -> None:
    text = render_page(load_run(home / "runs" / RUN), [], {})
    assert "Trials of robust" in text
    assert "robust/0/train" not in text
    assert 'class="pruned">pruned' in text
    assert text.count('<th scope="row">') >= 5
