"""Runs as their folders tell of them: what each cell came to, and whether the driver is still there."""

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from advorch.canonical import Json
from advorch.errors import FormatTooNew, UsageError
from advorch.events import (
    CellFinished,
    CellReported,
    CellRetried,
    CellStarted,
    CellWaiting,
    Event,
    RunFinished,
    RunStarted,
)
from advorch.tracking.addresses import TRIAL, is_own, parent_of
from advorch.tracking.journal import FILE, read
from advorch.tracking.liveness import Life, life
from advorch.tracking.submission import read_job, read_submission

LAST = "last"
OURS = re.compile(r"\d{8}-")

log = logging.getLogger(__name__)


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ELSEWHERE = "elsewhere"
    SUBMITTED = "submitted"


STATES: Mapping[Life, RunState] = MappingProxyType(
    {
        Life.ALIVE: RunState.RUNNING,
        Life.DEAD: RunState.INTERRUPTED,
        Life.ELSEWHERE: RunState.ELSEWHERE,
        Life.SUBMITTED: RunState.SUBMITTED,
    }
)


@dataclass(kw_only=True)
class CellRecord:
    """One cell as the journal knows it; `status` is pending, waiting, running, how it ended, or interrupted."""

    cell: str
    stage: str = ""
    component: str = ""
    status: str = "pending"
    key: str = ""
    attempt: int = 0
    started: float | None = None
    seconds: float = 0.0
    step: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Json] = field(default_factory=dict)
    inputs: dict[str, Json] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    message: str = ""
    error_class: str = ""


@dataclass(kw_only=True)
class RunRecord:
    """One run; `exit_code` is None for one that has not ended in order."""

    folder: Path
    run: str
    life: Life
    pipeline: str = ""
    file: str = ""
    profile: str = ""
    executor: str = ""
    storage: str = ""
    version: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    started: float = 0.0
    seconds: float = 0.0
    exit_code: int | None = None
    cells: dict[str, CellRecord] = field(default_factory=dict)

    @property
    def state(self) -> RunState:
        """What the run is doing, or how it ended."""
        if self.exit_code is not None:
            return {0: RunState.DONE, 6: RunState.STOPPED}.get(self.exit_code, RunState.FAILED)
        return STATES[self.life]

    @property
    def own(self) -> dict[str, CellRecord]:
        """The pipeline's own cells, without what happened inside its sweeps."""
        return {name: cell for name, cell in self.cells.items() if is_own(name)}

    def trials(self, sweep: str) -> list[CellRecord]:
        """The trials of a sweep that this run knows of, in order."""
        return [cell for cell in self.cells.values() if cell.component == TRIAL and parent_of(cell.cell) == sweep]

    def counts(self) -> dict[str, int]:
        """How many of the pipeline's own cells have each status, in order of appearance."""
        found: dict[str, int] = {}
        for cell in self.own.values():
            found[cell.status] = found.get(cell.status, 0) + 1
        return found


def list_runs(runs: Path) -> list[RunRecord]:
    """Every readable run of a folder, newest first."""
    folders = sorted((path.parent for path in runs.glob(f"*/{FILE}")), key=_turn, reverse=True)
    return [record for folder in folders if (record := _readable(folder))]


def _turn(folder: Path) -> str:
    """What runs are ordered by: a name of ours begins with the time; one that was given does not."""
    if OURS.match(folder.name):
        return folder.name
    asked = read_submission(folder)
    began = asked.at if asked else (folder / FILE).stat().st_mtime
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(began))


def _readable(folder: Path) -> RunRecord | None:
    try:
        return load_run(folder)
    except FormatTooNew as error:
        log.warning("%s is left out: %s", folder.name, error)
        return None


def load_run(folder: Path) -> RunRecord:
    """Read a run's journal to where it ends now."""
    record = RunRecord(folder=folder, run=folder.name, life=life(folder), **_submitted(folder))
    for entry in read(folder / FILE):
        apply(record, entry.event, entry.at)
        record.seconds = max(record.seconds, entry.at - record.started)
    record.exit_code = ended_with(folder, record.exit_code)
    if record.life is Life.DEAD:
        for cell in record.cells.values():
            cell.status = "interrupted" if cell.status in ("running", "waiting") else cell.status
    return record


def _submitted(folder: Path) -> dict[str, Any]:
    """What is known of a run that was submitted before its driver has said anything."""
    asked = read_submission(folder)
    if asked is None:
        return {}
    names = ("pipeline", "file", "profile", "executor", "storage")
    return {"started": asked.at, **{name: getattr(asked, name) for name in names}}


def ended_with(folder: Path, journalled: int | None) -> int | None:
    """The exit code of a run: its journal's word, unless it was submitted, for then its job's."""
    job = read_job(folder)
    return job.exit_code(journalled) if job else journalled


def apply(record: RunRecord, event: Event, at: float) -> None:
    """Take one event of the journal into a record."""
    if isinstance(event, RunStarted):
        _begin(record, event, at)
    elif isinstance(event, RunFinished):
        record.exit_code = event.exit_code
    else:
        cell = record.cells.setdefault(event.cell, CellRecord(cell=event.cell))
        _apply_to_cell(cell, event, at)


def _begin(record: RunRecord, event: RunStarted, at: float) -> None:
    record.pipeline, record.file, record.profile = event.pipeline, event.file, event.profile
    record.executor, record.storage, record.version = event.executor, event.storage, event.version
    record.params, record.started = event.params, at
    record.cells = {cell: CellRecord(cell=cell) for cell in event.cells}


def _apply_to_cell(cell: CellRecord, event: Event, at: float) -> None:
    if isinstance(event, CellFinished):
        _finish(cell, event)
    elif isinstance(event, CellStarted):
        cell.stage, cell.component, cell.key = event.stage, event.component, event.key
        cell.params, cell.inputs = dict(event.params), dict(event.inputs)
        cell.status, cell.attempt = "running", event.attempt
        cell.started = cell.started or at
    elif isinstance(event, CellReported):
        cell.step, cell.metrics = event.step, dict(event.metrics)
    elif isinstance(event, CellRetried):
        cell.message, cell.error_class = event.message, event.error_class
    elif isinstance(event, CellWaiting):
        cell.status = "waiting"


def _finish(cell: CellRecord, event: CellFinished) -> None:
    cell.stage, cell.component, cell.key = event.stage, event.component, event.key or cell.key
    cell.status, cell.seconds = event.status.value, event.seconds
    cell.outputs, cell.missing = dict(event.outputs), event.missing
    cell.metrics = dict(event.metrics) or cell.metrics
    cell.message, cell.error_class = event.message, event.error_class
    cell.params = dict(event.params) or cell.params
    cell.inputs = dict(event.inputs) or cell.inputs


def find_run(runs: Path, name: str) -> Path:
    """The folder of a run: its id, the only one that begins so, or `last`."""
    known = [folder.name for folder in sorted((path.parent for path in runs.glob(f"*/{FILE}")), key=_turn)]
    if not known:
        raise UsageError(f"there are no runs in {runs}", hint="start one: advorch pipeline run FILE")
    if name == LAST:
        return runs / known[-1]
    matches = [run for run in known if run == name] or [run for run in known if name and run.startswith(name)]
    if len(matches) == 1:
        return runs / matches[0]
    if matches:
        raise UsageError(f"'{name}' could be any of {len(matches)} runs", hint=f"for example {', '.join(matches[-3:])}")
    raise UsageError(
        f"there is no run '{name}'", hint=f"the latest: {', '.join(known[-3:])}; list all: advorch run list"
    )
