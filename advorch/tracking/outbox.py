"""The driver's half of the MLflow sink: it starts a process that reads the journal, and at the end waits a little."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path

from advorch.artifacts import check_format
from advorch.events import CellStarted, Event
from advorch.tracking.files import write_atomically

JOB_FILE = "mlflow.job.json"
LOG_FILE = "mlflow.log"
FORMAT = "mlflow-job/1"
DRAIN = 10.0

log = logging.getLogger(__name__)


class SyncResult(IntEnum):
    """How a sink process ended, as its exit code."""

    SYNCED = 0
    BEHIND = 8
    BUSY = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowJob:
    """Everything that the sink process must know besides the journal; `models` are stages or cells."""

    uri: str
    experiment: str
    store: str
    artifact_location: str = ""
    models: tuple[str, ...] = ()
    log_samples: bool = False
    disabled_plugins: tuple[str, ...] = ()
    format: str = FORMAT


def write_job(folder: Path, job: MlflowJob) -> None:
    """Leave the job in the run's folder, where `run sync` finds it too; an address may carry a password."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / JOB_FILE, json.dumps(asdict(job), indent=1), mode=0o600)


def read_job(folder: Path) -> MlflowJob | None:
    """The job of a run; None for one that ran without MLflow."""
    try:
        values = json.loads((folder / JOB_FILE).read_text())
    except FileNotFoundError:
        return None
    check_format(values["format"], "mlflow-job", 1)
    known = {name: values[name] for name in MlflowJob.__dataclass_fields__ if name in values}
    return MlflowJob(**known | {name: tuple(known.get(name, ())) for name in ("models", "disabled_plugins")})


class Outbox:
    """Starts the sink process at the first cell that is computed; a cached run starts none."""

    def __init__(self, folder: Path, job: MlflowJob, *, entry: str, drain: float = DRAIN) -> None:
        self._folder = folder
        self._entry = entry
        self._drain = drain
        self._process: subprocess.Popen[bytes] | None = None
        write_job(folder, job)

    @property
    def pid(self) -> int | None:
        """The sink process, if one was started."""
        return self._process.pid if self._process else None

    def emit(self, event: Event) -> None:
        """Start the process when there is something to record; it reads the event from the journal."""
        if self._process is None and isinstance(event, CellStarted):
            self._process = start(self._folder, self._entry)

    def drain(self, timeout: float) -> bool:
        """Wait for the process to record the run's end, then end it; True when nothing is left to sync."""
        if self._process is None:
            return True
        try:
            return self._process.wait(timeout) == SyncResult.SYNCED
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
            return False

    def close(self) -> None:
        """Drain, and say what to do when MLflow lags behind."""
        if not self.drain(self._drain):
            log.warning(
                "MLflow has not everything of this run yet; catch up with: advorch run sync %s", self._folder.name
            )


def start(folder: Path, entry: str, arguments: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
    """Start the sink process: a session of its own, so that Ctrl-C on the driver does not reach it."""
    command = [sys.executable, "-m", entry, str(folder.absolute()), *arguments]
    with (folder / LOG_FILE).open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=sink_environment(os.environ, sys.path),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def sink_environment(environment: Mapping[str, str], path: Sequence[str]) -> dict[str, str]:
    """Short patience with servers unless the user set another, no telemetry, one thread, no GPU, our import path."""
    defaults = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    fixed = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
        "GIT_PYTHON_REFRESH": "quiet",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join(_own_entries(path)),
    }
    return {**defaults, **environment, **fixed}


def _own_entries(path: Sequence[str]) -> list[str]:
    """What the interpreter would not find by itself: the process starts in another folder."""
    prefixes = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    entries = [Path(entry or ".").resolve() for entry in path]
    return [str(entry) for entry in entries if not any(entry.is_relative_to(prefix) for prefix in prefixes)]
