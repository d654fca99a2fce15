"""The last words of a run: a table of cells, where the reports are, what failed and what to do next."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advorch.events import Status

if TYPE_CHECKING:
    from advorch.session.result import Run

HEADLINES = ("clean_accuracy", "robust_accuracy", "worst_class_accuracy", "success_rate", "accuracy", "loss")
LAST_LINES = 12


def rows(run: "Run") -> list[dict[str, Any]]:
    """One row a cell, all metrics in it."""
    return [
        {"cell": cell, "status": status.value, **run.metrics.get(cell, {})} for cell, status in run.statuses.items()
    ]


def columns(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Cell and status, then the few metrics that fit a screen."""
    return ["cell", "status", *(name for name in HEADLINES if any(name in row for row in found))]


def next_steps(run: "Run") -> str:
    """For people: outcome, reports, failures, commands to copy."""
    return "".join(f"{line}\n" for line in [_outcome(run), *_reports(run), *_failures(run), *_commands(run)])


def _outcome(run: "Run") -> str:
    counts = {status: sum(1 for item in run.statuses.values() if item is status) for status in Status}
    if counts[Status.CACHED] == len(run.statuses):
        return f"everything is cached: {len(run.statuses)} cells, nothing to do"
    return f"run {run.id}: " + ", ".join(f"{count} {status.value}" for status, count in counts.items() if count)


def _reports(run: "Run") -> list[str]:
    return [f"report of {cell}: {path}" for cell, path in run.reports().items()]


def _failures(run: "Run") -> list[str]:
    lines: list[str] = []
    for cell, text in run.failures().items():
        lines += [f"{cell} failed:", *(f"  {line}" for line in text.rstrip().splitlines()[-LAST_LINES:])]
    return lines


def _commands(run: "Run") -> list[str]:
    commands = [f"advorch run show {run.id}", f"advorch run report {run.id}"]
    if run.exit_code:
        commands.insert(0, f"advorch run logs {run.id}")
    return ["Next:", *(f"  {command}" for command in commands)]
