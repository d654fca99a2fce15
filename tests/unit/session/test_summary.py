"""What the last words of a run say, word for word, for every way in which a run may end."""

from pathlib import Path
from typing import Any, cast

import pytest

from advorch.cli.summary import columns, next_steps, rows
from advorch.errors import AdvorchError, ErrorClass, InfrastructureError, StageFailed
from advorch.events import Status
from advorch.session.result import Run

DONE, CACHED, FAILED, SKIPPED, STOPPED, _ = Status


class FakeRun:
    """As much of a run as its last words need."""

    def __init__(self, statuses: dict[str, Status], exit_code: int = 0, **known: Any) -> None:
        self.id = "20261120-101502-3f9a"
        self.statuses = statuses
        self.exit_code = exit_code
        self.errors: dict[str, AdvorchError] = known.get("errors", {})
        self.messages: dict[str, str] = known.get("messages", {})
        self.missing: dict[str, tuple[str, ...]] = known.get("missing", {})
        self.metrics: dict[str, dict[str, float]] = known.get("metrics", {})
        self.mlflow_uri: str = known.get("uri", "")
        self._logs: dict[str, list[str]] = known.get("logs", {})
        self._reports: dict[str, Path] = known.get("reports", {})

    def reports(self) -> dict[str, Path]:
        return self._reports

    def log_tail(self, cell: str, lines: int) -> list[str]:
        return self._logs.get(cell, [])[-lines:]


def words(statuses: dict[str, Status], exit_code: int = 0, **known: Any) -> list[str]:
    return next_steps(cast("Run", FakeRun(statuses, exit_code, **known))).splitlines()


def before_next(lines: list[str]) -> list[str]:
    return lines[: lines.index("Next:")]


def test_a_run_that_worked_says_where_its_reports_are_and_what_to_look_at() -> None:
    assert words({"a": DONE, "b": CACHED}, reports={"b": Path("/x/report.html")}) == [
        "run 20261120-101502-3f9a is done: 1 done, 1 cached",
        "b: /x/report.html",
        "Next:",
        "  advorch run show 20261120-101502-3f9a",
        "  advorch run report 20261120-101502-3f9a",
    ]


@pytest.mark.parametrize(("cells", "said"), [(1, "1 cell"), (3, "3 cells")])
def test_everything_cached(cells: int, said: str) -> None:
    lines = words({f"c{number}": CACHED for number in range(cells)}, uri="sqlite:////home/mlflow.db")
    assert lines[0] == f"everything is cached: {said}, nothing was started"
    assert not [line for line in lines if "mlflow" in line], "nothing new to look at"


def test_a_bug_of_a_stage_shows_the_end_of_its_log_once() -> None:
    trace = ["Traceback (most recent call last):", '  File "train.py", line 3', "ValueError: no such thing"]
    error = StageFailed("ValueError: no such thing", error_class=ErrorClass.USER, details="\n".join(trace))
    log = ["10:00:01 epoch 1", "10:00:02 Traceback (most recent call last):", '  File "train.py", line 3', trace[2]]
    lines = words({"attack[name=pgd]": FAILED, "b": STOPPED}, 1, errors={"attack[name=pgd]": error},
                  logs={"attack[name=pgd]": log}, messages={"b": "not started"})  # fmt: skip
    assert before_next(lines) == [
        "run 20261120-101502-3f9a failed (exit code 1): 1 failed, 1 stopped",
        "attack[name=pgd] failed (user):",
        "  error: ValueError: no such thing",
        "  the end of its log:",
        "    10:00:01 epoch 1",
        "    10:00:02 Traceback (most recent call last):",
        '      File "train.py", line 3',
        "    ValueError: no such thing",
        "not started: b",
    ]
    assert "  advorch run logs 20261120-101502-3f9a --stage 'attack[name=pgd]'" in lines, (
        "a shell leaves brackets alone"
    )


def test_a_user_s_mistake_is_its_line_and_its_hint_and_no_traceback() -> None:
    error = StageFailed("model 'lenet' takes larger images", error_class=ErrorClass.USER, hint="'mlp' takes any")
    log = ["10:00:01 error: model 'lenet' takes larger images", "  hint: 'mlp' takes any"]
    assert before_next(words({"a": FAILED}, 1, errors={"a": error}, logs={"a": log}))[1:] == [
        "a failed (user):",
        "  error: model 'lenet' takes larger images",
        "    hint: 'mlp' takes any",
    ]


def test_a_log_that_was_lost_leaves_the_error_s_own_details() -> None:
    error = StageFailed("killed", error_class=ErrorClass.OOM, details="\n".join(f"line {n}" for n in range(40)))
    lines = before_next(words({"a": FAILED}, 1, errors={"a": error}))
    assert lines[1] == "a failed (oom):"
    assert lines[-1] == "    line 39"
    assert len(lines) == 4 + 12


def test_what_is_not_the_stage_s_fault_has_no_class() -> None:
    lines = words({"a": FAILED}, 8, errors={"a": InfrastructureError("no cluster", hint="start one")})
    assert lines[:3] == ["run 20261120-101502-3f9a failed (exit code 8): 1 failed", "a failed:", "  error: no cluster"]


def test_failures_that_were_allowed_name_what_was_skipped_and_what_did_without() -> None:
    statuses = {"a": FAILED, "report": DONE} | {f"b{number}": SKIPPED for number in range(6)}
    lines = words(
        statuses, 5,
        errors={"a": StageFailed("nan", error_class=ErrorClass.NAN)},
        messages={f"b{number}": "'a' has no result" for number in range(6)},
        missing={"report": ("b0", "b1")},
        reports={"report": Path("/x/report.html")},
    )  # fmt: skip
    outcome, *others = before_next(lines)
    assert outcome.endswith("is done, but for failures that were allowed (exit code 5): 1 done, 1 failed, 6 skipped")
    assert others == [
        "a failed (nan):",
        "  error: nan",
        "skipped: b0, b1, b2, b3 and 2 more: 'a' has no result",
        "report does without b0, b1",
        "report: /x/report.html",
    ]


@pytest.mark.parametrize(("code", "said"), [(6, "was stopped"), (7, "was stopped at its deadline")])
def test_an_interrupted_run_says_how_to_go_on(code: int, said: str) -> None:
    statuses = {"a": DONE, "b": STOPPED, "c": STOPPED}
    lines = words(statuses, code, messages={"b": "stopped after epoch 3", "c": "not started"})
    assert before_next(lines) == [
        f"run 20261120-101502-3f9a {said} (exit code {code}): 1 done, 2 stopped",
        "stopped: b: stopped after epoch 3",
        "not started: c",
        "what is committed stays: run the same command again to go on",
    ]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:////my home/mlflow.db", "  mlflow ui --backend-store-uri 'sqlite:////my home/mlflow.db'"),
        ("https://user:secret@host", None),
        ("", None),
    ],
)
def test_a_local_mlflow_is_offered_and_an_address_never_printed(uri: str, said: str | None) -> None:
    lines = words({"a": DONE}, uri=uri)
    assert [line for line in lines if "mlflow" in line] == ([said] if said else [])
    assert "secret" not in "".join(lines)


def test_a_run_without_cells_has_last_words_too() -> None:
    assert words({})[0] == "run 20261120-101502-3f9a is done: no cells"


def test_the_table_shows_the_few_metrics_that_some_cell_has() -> None:
    run = cast("Run", FakeRun({"a": DONE, "b": FAILED}, metrics={"a": {"loss": 0.1, "robust_accuracy": 0.4, "odd": 1}}))
    found = rows(run)
    assert found == [
        {"cell": "a", "status": "done", "loss": 0.1, "robust_accuracy": 0.4, "odd": 1},
        {"cell": "b", "status": "failed"},
    ]
    assert columns(found) == ["cell", "status", "robust_accuracy", "loss"]
