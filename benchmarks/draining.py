"""How fast a finished run is recorded in MLflow, in a database of sqlite on the disk.

    python benchmarks/draining.py [--quick] [--json out.json]

The sink process does this beside the run. Its imports and the making of the database are left out.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from files import no_ops, walks
from measuring import LAB, Figure, Stopwatch, command, stand

import advorch
from advorch.session.mlflow_sink import StoreLibrary
from advorch.session.running import Options
from advorch.session.workspace import Workspace
from advorch.tracking.outbox import MlflowJob, SyncResult, sink_environment
from advorch.tracking.sync import sync

PATIENCE = 20.0
MILLI = 1e3


def measure(quick: bool) -> list[Figure]:
    """Stages that leave nothing but their parameters, then stages with reports, metrics and tables."""
    sys.path.insert(0, str(LAB))
    os.environ.update(sink_environment(os.environ, ()))
    count = 50 if quick else 200
    with stand() as at:
        _drained(Workspace(at.folder), no_ops(at.folder, 2))
        return [figure for write in (no_ops, walks) for figure in _figures(at.folder, write, count)]


def _figures(folder: Path, write: Callable[[Path, int], Path], count: int) -> list[Figure]:
    cpu, wall = (seconds / count * MILLI for seconds in _drained(Workspace(folder), write(folder, count)))
    name = f"MLflow drain, {count} {write.__name__.replace('_', '-')}"
    return [
        Figure(what=f"{name}: CPU", value=cpu, unit="ms/stage", goal=30.0),
        Figure(what=f"{name}: wall", value=wall, unit="ms/stage"),
    ]


def _drained(workspace: Workspace, file: Path) -> tuple[float, float]:
    """CPU and wall seconds of recording a run, all of it and at once."""
    done = advorch.load(file, workspace=workspace).plan().run(Options(executor="inline", quiet=True)).check()
    job = MlflowJob(
        uri=workspace.mlflow_uri, experiment="benchmark", store=workspace.store_url,
        artifact_location=workspace.mlflow_artifacts.as_uri(),
    )  # fmt: skip
    watch = Stopwatch()
    result = sync(done.folder, job, StoreLibrary(job), patience=PATIENCE, follow=False)
    assert result is SyncResult.SYNCED, result
    return watch.read()


if __name__ == "__main__":
    command("draining", __doc__, measure)
