"""The trials of a search as a table that an evaluation can read."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from advorch.artifacts import FORMAT, Artifact, ArtifactType, Output
from advorch.canonical import Json
from advorch.engine.scratch import scratch
from advorch.plan.sweep import Search
from advorch.store.api import Store
from advorch.tuning.book import Book, Trial
from advorch.tuning.importance import eligible, importances
from advorch.tuning.promotion import finished

_FIXED = ("trial", "state", "rank")


def trials_output(store: Store, book: Book, search: Search, best: list[int]) -> Artifact:
    """Committed to the store."""
    with scratch() as around:  # which names its owner in a file of its own
        folder = around / "table"
        folder.mkdir()
        write_trials(folder, book, search, best)
        return store.put_output(Output(type=ArtifactType.TABLE, folder=folder))


def write_trials(folder: Path, book: Book, search: Search, best: list[int]) -> None:
    """`table.json` and `table.csv`: a row a trial, with what it drew and what it measured."""
    tuning = search.sweep.tuning
    dimensions = [item.name for item in tuning.space]
    metrics = sorted({name for trial in book.counted for name in (trial.end.metrics if trial.end else ())})
    columns = [*_FIXED, *dimensions, *metrics, "steps"]
    rows = [_row(trial, dimensions, metrics, best) for trial in book.counted]
    record = {
        "format": f"{ArtifactType.TABLE.value}/{FORMAT}",
        "title": "Trials",
        "columns": columns,
        "rows": rows,
        "caption": "; ".join(f"{item.goal} {item.metric}" for item in tuning.objectives),
        "search": _facts(book, search, metrics),
    }
    (folder / "table.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _facts(book: Book, search: Search, metrics: list[str]) -> dict[str, Json]:
    """What figures need besides the rows: the space, the goals, what mattered, and what was reported on the way."""
    tuning, known = search.sweep.tuning, finished(book.counted)
    shares = enumerate(tuning.objectives)
    read = {".".join(name) for item in tuning.constraints for name in item.names}
    scheduler = tuning.scheduler
    return {
        "dimensions": [{"name": item.name, "kind": item.kind, "values": list(item.values)} for item in tuning.space],
        "objectives": [{"metric": item.metric, "goal": item.goal} for item in tuning.objectives],
        "constraints": [item.text for item in tuning.constraints],
        "constrained": sorted(read & set(metrics)),
        "eligible": [trial.number for trial in known if eligible(trial)],
        "importance": {item.metric: _finite(importances(known, tuning, place)) for place, item in shares},
        "scheduler": {"type": scheduler.type, "time": scheduler.time} if scheduler else None,
        "watched": (scheduler.metric or tuning.objectives[0].metric) if scheduler else "",
        "reports": {str(trial.number): _reports(trial) for trial in book.counted if trial.reports},
    }


def _finite(shares: Mapping[str, float]) -> dict[str, Json]:
    return {name: share for name, share in shares.items() if math.isfinite(share)}


def _reports(trial: Trial) -> list[Json]:
    return [[step, _number(value)] for step, value in trial.reports]


def _row(trial: Trial, dimensions: list[str], metrics: list[str], best: list[int]) -> list[Json]:
    if trial.end is None:
        raise ValueError(f"trial {trial.number} is not over")
    rank = best.index(trial.number) + 1 if trial.number in best else None
    return [
        trial.number,
        trial.end.outcome.state.value,
        rank,
        *(trial.values.get(name) for name in dimensions),
        *(_number(trial.end.metrics.get(name)) for name in metrics),
        trial.step,
    ]


def _number(value: float | None) -> float | None:
    """JSON has no NaN."""
    return value if value is not None and math.isfinite(value) else None
