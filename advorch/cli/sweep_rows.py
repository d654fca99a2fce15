"""Sweeps and trials as rows, and what to say of them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from advorch.cli.sweep_target import Opened
from advorch.errors import UsageError
from advorch.session.sweeps import Sweep, SweepState
from advorch.spec.suggest import hint
from advorch.tracking.lines import duration
from advorch.tuning.promotion import pin_fault

STANDING = ("sweep", "state", "trials", "done", "pruned", "failed", "running", "best", "trial")
BEST = ("sweep", "rank", "trial", "values", "metrics")
SHOWN_METRICS = 6


def standing(sweep: Sweep) -> dict[str, Any]:
    """One sweep in a row."""
    winners, spent = sweep.winners, sweep.spent
    budget = {name: getattr(sweep.tuning.budget, name) for name in ("trials", "wall", "gpu_hours")}
    best = {item.metric: sweep.metrics(winners[0])[item.metric] for item in sweep.tuning.objectives} if winners else {}
    return {
        "sweep": sweep.cell,
        "state": sweep.state.value,
        "trials": f"{len(sweep.trials)}/{budget['trials']}" if budget["trials"] else len(sweep.trials),
        **sweep.counts(),
        "best": best,
        "trial": winners[0] if winners else None,
        "winners": winners,
        "values": dict(sweep.values(winners[0])) if winners else {},
        "pin": sweep.pin,
        "spent": {name: round(value, 3) for name, value in spent.items()},
        "budget": budget,
        "key": sweep.key,
        "run": sweep.run,
    }


def comes_next(sweep: Sweep, opened: Opened) -> tuple[list[str], list[str]]:
    """What a person should know of a sweep, and what to do next."""
    lines = [f"{sweep.cell}: {_used(sweep)}" if sweep.trials else f"{sweep.cell}: nothing was searched yet"]
    if sweep.pin is not None:
        fault = pin_fault(sweep.trials, sweep.pin)
        lines.append(f"trial {sweep.pin} is pinned" + (f", but {fault}" if fault else " and handed on, whichever wins"))
    run = opened.command("pipeline", "run") if opened.file else ""
    stage = shlex.quote(sweep.stage)
    match sweep.state:
        case SweepState.WAITING:
            return [*lines, f"it waits for {', '.join(sweep.awaited)}"], [run] if run else []
        case SweepState.RUNNING:
            return [*lines, f"run {sweep.run} searches now"], [f"advorch run watch {sweep.run}"]
        case SweepState.NEW:
            return lines, [run]
        case SweepState.INTERRUPTED:
            return [*lines, "it is not at its end: run the pipeline again to go on"], [run] if run else []
    commands = [f"advorch sweep {verb} {shlex.quote(opened.target)} {stage}" for verb in ("trials", "best")]
    return lines, [*commands, *([f"{opened.command('sweep', 'extend')} {stage} --trials +20"] if run else [])]


def _used(sweep: Sweep) -> str:
    budget, spent = sweep.tuning.budget, sweep.spent
    words = [f"{len(sweep.trials)}{f' of {budget.trials}' if budget.trials else ''} trials"]
    words.append(duration(spent["wall"]) + (f" of {duration(budget.wall)}" if budget.wall else ""))
    if spent["gpu_hours"] or budget.gpu_hours:
        limit = f" of {budget.gpu_hours:g}" if budget.gpu_hours else ""
        words.append(f"{spent['gpu_hours']:.3g}{limit} GPU hours")
    return ", ".join(words)


def trial_rows(sweep: Sweep, *, flat: bool) -> list[dict[str, Any]]:
    """A row a trial; a flat one has a column for each thing that was drawn."""
    rows = [{"sweep": sweep.cell, **row} for row in sweep.rows()]
    return [{**row, **row["values"]} for row in rows] if flat else rows


def trial_columns(sweep: Sweep) -> list[str]:
    """Number, state and rank, what was drawn, the objectives, and how long it took."""
    drawn = [item.name for item in sweep.tuning.space]
    objectives = [item.metric for item in sweep.tuning.objectives]
    return ["trial", "state", "rank", *drawn, *objectives, "steps", "seconds", "message"]


def in_order(rows: Sequence[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """By a column, what has no value there last; a column that is not there is an error."""
    name = column.removeprefix("-")
    known = {key: None for row in rows for key in (*row, *row["values"], *row["metrics"])}
    if rows and name not in known:
        raise UsageError(f"trials have no '{name}'", hint=hint(name, list(known)) or f"columns: {', '.join(known)}")
    found = {id(row): _value(row, name) for row in rows}
    having = [row for row in rows if found[id(row)] is not None]
    numbers = all(isinstance(found[id(row)], int | float) for row in having)
    having.sort(key=lambda row: found[id(row)] if numbers else str(found[id(row)]), reverse=column.startswith("-"))
    return [*having, *(row for row in rows if found[id(row)] is None)]


def _value(row: Mapping[str, Any], name: str) -> Any:
    return next((part[name] for part in (row, row["values"], row["metrics"]) if part.get(name) is not None), None)


def best_rows(sweep: Sweep) -> list[dict[str, Any]]:
    """The winners, best first."""
    return [
        {
            "sweep": sweep.cell,
            "rank": rank,
            "trial": number,
            "pinned": number == sweep.pin,
            "values": dict(sweep.values(number)),
            "metrics": dict(sweep.metrics(number)),
            "with": sweep.settings(number),
        }
        for rank, number in enumerate(sweep.winners, start=1)
    ]
