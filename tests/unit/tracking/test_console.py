"""What a person sees: the lines, their pace, and bars only where they work."""

import io
import re
import time

import pytest

from advorch.events import (
    CellFinished,
    CellProgressed,
    CellReported,
    CellRetried,
    CellStarted,
    CellWaiting,
    Event,
    RunFinished,
    RunStarted,
    Status,
)
from advorch.tracking.console import LineConsole, QuietConsole, open_console
from advorch.tracking.lines import duration
from advorch.tracking.live import LiveConsole

PGD = "attack[name=pgd]"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def started(cell: str, attempt: int = 1) -> CellStarted:
    return CellStarted(cell=cell, stage=cell.partition("[")[0], component="attack/pgd", key="k", attempt=attempt)


def finished(cell: str, status: Status, **details: object) -> CellFinished:
    return CellFinished(cell=cell, stage=cell, component="attack/pgd", status=status, **details)  # type: ignore[arg-type]


STORY: list[tuple[float, Event]] = [
    (0, RunStarted(
        run="20261120-101502-3f9a", pipeline="mnist", file="f", profile="", executor="ray", storage="s", version="0",
        cells=("plain", PGD, "report"),
    )),
    (0, finished("plain", Status.CACHED, metrics={"clean_accuracy": 0.98765})),
    (1, CellWaiting(cell=PGD, reason="waits for 2 GPUs, 1 free")),
    (2, CellWaiting(cell=PGD, reason="waits for 2 GPUs, 1 free")),
    (3, started(PGD)),
    (4, CellProgressed(cell=PGD, done=100, total=1000)),
    (5, CellProgressed(cell=PGD, done=200, total=1000)),
    (9, CellProgressed(cell=PGD, done=600, total=1000, metrics={"robust_accuracy": 0.4567})),
    (10, CellReported(cell="report", step=3, metrics={"loss": 0.25})),
    (11, CellReported(cell="report", step=4, metrics={"loss": 0.2})),
    (11, CellRetried(cell=PGD, attempt=2, error_class="node_lost", message="worker died", delay=2.0, most=3)),
    (13, started(PGD, attempt=3)),
    (16, finished(PGD, Status.DONE, seconds=3.2, metrics={"robust_accuracy": 0.41})),
    (17, finished("report", Status.FAILED, seconds=65.0, error_class="oom", message="no memory")),
    (17, finished("late", Status.SKIPPED, message="report failed")),
    (18, finished("cut", Status.STOPPED, seconds=7500, metrics=dict.fromkeys("abcdef", 1.0), missing=("x", "y"))),
    (19, RunFinished(run="20261120-101502-3f9a", exit_code=1, seconds=19.04)),
]  # fmt: skip

GOLDEN = """\
[10:00:00] run 20261120-101502-3f9a  mnist: 3 cells, ray
[10:00:00] plain cached clean_accuracy=0.9877
[10:00:01] attack[name=pgd] waits for 2 GPUs, 1 free
[10:00:03] attack[name=pgd] started
[10:00:09] attack[name=pgd] 600/1000 60% robust_accuracy=0.4567, 4.0s left
[10:00:10] report step 3 loss=0.25
[10:00:11] attack[name=pgd] retry 2 of 3 after node_lost in 2.0s: worker died
[10:00:13] attack[name=pgd] started, attempt 3
[10:00:16] attack[name=pgd] done in 3.2s robust_accuracy=0.41
[10:00:17] report failed in 1m05s (oom): no memory
[10:00:17] late skipped: report failed
[10:00:18] cut stopped in 2h05m a=1 b=1 c=1 d=1 (+2 metrics) (without x, y)
[10:00:19] run 20261120-101502-3f9a 1 done, 1 cached, 1 failed, 1 skipped, 1 stopped in 19.0s
"""


@pytest.fixture
def ten_o_clock() -> float:
    """Ten in the morning, whatever the machine's time zone."""
    return time.mktime((2026, 11, 20, 10, 0, 0, 0, 0, -1))


def test_without_a_terminal_one_line_a_change(ten_o_clock: float) -> None:
    stream, now = io.StringIO(), [0.0]
    console = LineConsole(stream, clock=lambda: now[0])
    for at, event in STORY:
        now[0] = ten_o_clock + at
        console.emit(event)
    console.close()
    assert stream.getvalue() == GOLDEN


def test_quiet_says_what_failed_and_nothing_else() -> None:
    stream = io.StringIO()
    console = open_console(stream, {}, quiet=True)
    assert isinstance(console, QuietConsole)
    for _, event in STORY:
        console.emit(event)
    assert stream.getvalue() == "report failed in 1m05s (oom): no memory\n"


@pytest.mark.parametrize(
    ("stream", "environment", "kind"),
    [
        (Terminal(), {}, LiveConsole),
        (Terminal(), {"CI": "true"}, LineConsole),
        (Terminal(), {"TERM": "dumb"}, LineConsole),
        (io.StringIO(), {}, LineConsole),
    ],
)
def test_bars_only_on_a_terminal_that_can(stream: io.StringIO, environment: dict[str, str], kind: type[object]) -> None:
    assert type(open_console(stream, environment)) is kind


def wait_for_frame(stream: io.StringIO, text: str) -> None:
    """Bars are drawn by a thread of their own, some times a second."""
    deadline = time.monotonic() + 30
    while text not in re.sub(r"\x1b\[[0-9;]*m| ", "", stream.getvalue()):
        assert time.monotonic() < deadline, f"no frame with {text}"
        time.sleep(0.02)


@pytest.mark.parametrize("color", [True, False])
def test_a_terminal_gets_bars_and_the_same_lines_and_the_cursor_back(
    monkeypatch: pytest.MonkeyPatch, color: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    console = open_console(stream, {} if color else {"NO_COLOR": "1"})
    for _, event in STORY:
        console.emit(event)
        if isinstance(event, CellProgressed):
            wait_for_frame(stream, f"{event.done}/{event.total}")
    console.close()
    text = stream.getvalue()
    assert "plain cached clean_accuracy=0.9877" in text
    assert "attack[name=pgd] done in 3.2s robust_accuracy=0.41" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert ("\x1b[32m" in text) is color


def test_a_cached_run_on_a_terminal_draws_no_bars() -> None:
    stream = Terminal()
    console = open_console(stream, {})
    console.emit(finished("plain", Status.CACHED))
    console.close()
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d\] plain cached\n", stream.getvalue())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.94, "59.9s"), (60, "1m00s"), (3599.7, "1h00m"), (7320, "2h02m")]
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
