"""The sink process's own half: one job, one run folder, one process at a time."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from advorch.tracking.liveness import Life, life
from advorch.tracking.mlflow import MlflowRecorder
from advorch.tracking.outbox import MlflowJob, SyncResult
from advorch.tracking.recorder import Library, Unreachable
from advorch.tracking.replay import Replay, Timing
from advorch.tracking.results import Results
from advorch.tracking.story import Story

LOCK_FILE = "mlflow.lock"


def sync(folder: Path, job: MlflowJob, library: Library, *, patience: float, follow: bool) -> SyncResult:
    """Bring MLflow up to the journal; with `follow` as long as the run's driver lives."""
    with alone(folder) as first:
        if not first:
            return SyncResult.BUSY
        recorder = MlflowRecorder(
            job.uri, experiment=job.experiment, run=folder.name, artifact_location=job.artifact_location
        )
        story = Story(recorder, Results(recorder, library, models=job.models, log_samples=job.log_samples))
        over = _over(folder, story) if follow else lambda: True
        told = Replay(folder, story, Timing(over=over, patience=patience)).run()
        return SyncResult.SYNCED if told and _settle(folder, story) else SyncResult.BEHIND


def _over(folder: Path, story: Story) -> Callable[[], bool]:
    return lambda: story.ended or life(folder) is not Life.ALIVE


def _settle(folder: Path, story: Story) -> bool:
    """End in MLflow what a dead driver left open; False if MLflow went away meanwhile."""
    try:
        if not story.ended and life(folder) is Life.DEAD:
            story.abandon()
    except Unreachable:
        return False
    return True


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether this is the only process that records the run; the system frees the lock of one that dies."""
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.write(str(os.getpid()))
        file.flush()
        yield True
