"""The last words of a run: a table of cells, where the reports are, what failed and what to do next."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advorch.errors import AdvorchError, StageFailed
from advorch.events import Status
from advorch.tracking.searches import number_words, objectives, value_words

if TYPE_CHECKING:
    from advorch.session.result import Run

HEADLINES = ("clean_accuracy", "robust_accuracy", "worst_class_accuracy", "success_rate", "accuracy", "loss")
LAST_LINES = 12
NAMED = 4
SUCCEEDED = frozenset({Status.DONE, Status.CACHED})
OUTCOMES = {
    0: "is done",
    5: "is done, but for failures that were allowed",
    6: "was stopped",
    7: "was stopped at its deadline",
}


def rows(run: "Run") -> list[dict[str, Any]]:
    """One row a cell, all metrics in it."""
    metrics = run.metrics
    return [{"cell": cell, "status": status.value, **metrics.get(cell, {})} for cell, status in run.statuses.items()]


def columns(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cell and status, then the few metrics that fit a screen."""
    return ["cell", "status", *(name for name in HEADLINES if any(name in row for row in found))]


def next_steps(run: "Run") -> str:
    """For people: outcome, failures, what is lacking, reports, commands to copy."""
    told = [_outcome(run), *_failures(run), *_lacking(run), *_winners(run), *_reports(run), *_commands(run)]
    return "".join(f"{line}\n" for line in told)


def _outcome(run: "Run") -> str:
    ends = list(run.statuses.values())
    counts = {status: ends.count(status) for status in Status}
    if ends and counts[Status.CACHED] == len(ends):
        return f"everything is cached: {_count(len(ends), 'cell')}, nothing was started"
    came_to = ", ".join(f"{count} {status.value}" for status, count in counts.items() if count) or "no cells"
    code = f" (exit code {run.exit_code})" if run.exit_code else ""
    return f"run {run.id} {OUTCOMES.get(run.exit_code, 'failed')}{code}: {came_to}"


def _failures(run: "Run") -> list[str]:
    lines: list[str] = []
    for cell, error in run.errors.items():
        why = f" ({error.error_class.value})" if isinstance(error, StageFailed) else ""
        lines += [f"{cell} failed{why}:", *(f"  {line}" for line in _words(run, cell, error))]
    return lines


def _words(run: "Run", cell: str, error: AdvorchError) -> list[str]:
    """What the error says, then the end of the log, but for what the error has said already."""
    said = error.render().splitlines()
    log = [line for line in run.log_tail(cell, LAST_LINES) if not _repeats(line, said)]
    details = error.details.rstrip().splitlines()[-LAST_LINES:] if isinstance(error, StageFailed) else []
    end = log or details
    return [*said, *(["the end of its log:"] if end else []), *(f"  {line}" for line in end)]


def _repeats(line: str, said: Iterable[str]) -> bool:
    return not line.strip() or any(line.endswith(words) for words in said)


def _lacking(run: "Run") -> list[str]:
    """What was not computed and why, and which cells did without it."""
    statuses = run.statuses
    if SUCCEEDED.issuperset(statuses.values()) and not run.exit_code:
        return []
    reasons: dict[tuple[str, str], list[str]] = {}
    for cell, message in run.messages.items():
        reasons.setdefault((statuses[cell].value, message), []).append(cell)
    without = [f"{cell} does without {_named(cells)}" for cell, cells in run.missing.items()]
    return [*(_reason(status, message, cells) for (status, message), cells in reasons.items()), *without]


def _reason(status: str, message: str, cells: Sequence[str]) -> str:
    return f"not started: {_named(cells)}" if message == "not started" else f"{status}: {_named(cells)}: {message}"


def _named(cells: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(cells) - NAMED
    return ", ".join(cells[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _winners(run: "Run") -> list[str]:
    """Of each sweep which trial won, what it drew, and what the sweep hands on measured."""
    found = []
    for cell, metrics in run.metrics.items():
        record = run.record.own.get(cell)
        if record is None or "best_trial" not in metrics or record.component != "core/sweep":
            continue
        drawn = {name.removeprefix("trial."): value for name, value in metrics.items() if name.startswith("trial.")}
        reached = {name: metrics[name] for name, _ in objectives(record.params) if name in metrics}
        words = " ".join([*value_words(drawn), "->", *number_words(reached)])
        found.append(f"{cell}: trial {metrics['best_trial']:.0f} of {metrics['trials']:.0f} won: {words}")
    return found


def _reports(run: "Run") -> list[str]:
    return [f"{cell}: {path}" for cell, path in run.reports().items()]


def _commands(run: "Run") -> list[str]:
    commands = [f"advorch run logs {run.id} --stage {shlex.quote(cell)}" for cell in list(run.errors)[:1]]
    commands += [f"advorch run show {run.id}", f"advorch run report {run.id}"]
    commands += [f"advorch sweep trials {run.id}"] if _winners(run) else []
    if run.mlflow_uri.startswith("sqlite:") and Status.DONE in run.statuses.values():
        commands.append(f"mlflow ui --backend-store-uri {shlex.quote(run.mlflow_uri)}")
    again = ["what is committed stays: run the same command again to go on"] if run.exit_code in (6, 7) else []
    return [*again, "Next:", *(f"  {command}" for command in commands)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
