"""Catching up with MLflow: the same process that records a live run, once for each run."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from advorch.errors import UsageError
from advorch.tracking.journal import FILE
from advorch.tracking.outbox import LOG_FILE, SyncResult, read_job, start
from advorch.tracking.replay import CURSOR_FILE, Cursor
from advorch.tracking.runs import list_runs

ENTRY = "advorch.session.mlflow_sink"
PATIENCE = 20.0


def sync_one(folder: Path) -> dict[str, Any]:
    """Bring one run up to date and say how it went."""
    job = read_job(folder)
    if job is None:
        raise UsageError(
            f"run {folder.name} was run without MLflow", hint="`tracking:` was off, there is nothing to catch up with"
        )
    process = start(folder, ENTRY, ["--once", "--patience", str(PATIENCE)])
    try:
        code = process.wait()
    finally:
        if process.poll() is None:  # Ctrl-C here does not reach the process
            process.terminate()
            process.wait()
    result = SyncResult(code) if code in list(SyncResult) else SyncResult.BEHIND
    reason = _reason(folder) if result is SyncResult.BEHIND else ""
    return {
        "run": folder.name,
        "result": result.name.lower(),
        "experiment": job.experiment,
        "uri": masked(job.uri),
        "reason": reason,
    }


def sync_all(runs: Path) -> list[dict[str, Any]]:
    """Every run that computed something and is not recorded to the end of its journal."""
    folders = [record.folder for record in list_runs(runs) if any(cell.attempt for cell in record.cells.values())]
    return [sync_one(folder) for folder in reversed(folders) if read_job(folder) is not None and _behind(folder)]


def masked(uri: str) -> str:
    """A tracking address without the password that it may carry."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@", 1) if parts.password else uri


def _behind(folder: Path) -> bool:
    return Cursor(folder / CURSOR_FILE).read() < (folder / FILE).stat().st_size


def _reason(folder: Path) -> str:
    """The last line of the process's log, less its time."""
    lines = (folder / LOG_FILE).read_text(errors="replace").strip().splitlines()
    return lines[-1].split(": ", 1)[-1] if lines else ""
