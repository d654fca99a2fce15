"""A run that never ran: its journal, its store and an MLflow database of its own."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from advorch.artifacts import Artifact, ArtifactType, FileRecord
from advorch.events import (
    CellFinished,
    CellReported,
    CellRetried,
    CellStarted,
    Event,
    RunFinished,
    RunStarted,
    Status,
)
from advorch.tracking.journal import Journal
from advorch.tracking.outbox import MlflowJob

RUN = "20261120-101502-3f9a"
DATA = "d" * 64
MODEL = "e" * 64


def story() -> list[Event]:
    """A cached model, an attack that is retried, a sweep with a trial, a failure, a skipped cell."""
    attack = {"cell": "attack[model=plain,name=pgd]", "stage": "attack", "component": "attack/pgd", "key": "k-attack"}
    trial = {"cell": "robust/1", "stage": "robust", "component": "defend/trades", "key": "k-trial"}
    sweep = {"cell": "robust", "stage": "robust", "component": "defend/trades", "key": "k-robust"}
    bad = {"cell": "bad", "stage": "bad", "component": "train/erm", "key": "k-bad"}
    return [
        RunStarted(
            run=RUN, pipeline="mnist", file="/p/f.yaml", profile="quick", executor="inline", storage="", version="0",
            params={"epsilon": 0.3, "deep": {"x": [1, 2]}}, cells=("plain", attack["cell"], "robust", "bad", "late"),
        ),
        CellFinished(
            cell="plain", stage="plain", component="train/erm", status=Status.CACHED, key="k-plain",
            outputs={"model": MODEL}, metrics={"clean_accuracy": 0.99}, params={"lr": 0.1}, inputs={"data": [DATA]},
        ),
        CellStarted(**attack, params={"epsilon": 0.3, "note": "x" * 7000}, inputs={"model": [MODEL], "data": [DATA]}),
        CellReported(cell=attack["cell"], step=1, metrics={"robust_accuracy": 0.5, "loss[a=b]": float("nan")}),
        CellRetried(cell=attack["cell"], attempt=1, error_class="node_lost", message="worker died", delay=0.0),
        CellStarted(**attack, attempt=2, params={"epsilon": 0.3, "note": "x" * 7000}, inputs={"data": [DATA]}),
        CellStarted(**sweep, params={"lambda": 1}),
        CellStarted(**trial, params={"lambda": 1}),
        *[
            CellReported(cell=cell, step=step, metrics={"robust_accuracy": step / 10})
            for step in range(2, 8) for cell in (attack["cell"], trial["cell"])
        ],
        CellFinished(**trial, status=Status.STOPPED, seconds=1.0),
        CellFinished(
            **attack, status=Status.DONE, outputs={"report": "r" * 64}, metrics={"robust_accuracy": 0.41}, seconds=3.2
        ),
        CellFinished(**sweep, status=Status.DONE, outputs={"model": "f" * 64}, metrics={"robust_accuracy": 0.7}),
        CellStarted(**bad),
        CellFinished(**bad, status=Status.FAILED, message="no memory", error_class="oom", seconds=2.0),
        CellFinished(cell="late", stage="late", component="evaluate/x", status=Status.SKIPPED, message="bad failed"),
        RunFinished(run=RUN, exit_code=1, seconds=9.5),
    ]  # fmt: skip


def write_run(folder: Path, events: list[Event]) -> Path:
    """A run's folder with a journal of one event a second."""
    ticks = iter(range(1_795_000_000, 1_795_100_000))
    journal = Journal(folder, clock=lambda: float(next(ticks)))
    for event in events:
        journal.emit(event)
    journal.close()
    return folder


class MemoryLibrary:
    """Outputs by key: one file each, and models by content."""

    def __init__(self, outputs: Mapping[str, Mapping[str, Artifact]], models: Mapping[str, Any] | None = None) -> None:
        self._outputs = outputs
        self._models = models or {}

    def outputs(self, key: str) -> Mapping[str, Artifact]:
        return self._outputs.get(key, {})

    def lay_out(self, artifact: Artifact, into: Path) -> Path:
        into.mkdir(parents=True)
        for name, record in artifact.files.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_text(record.digest)
        return into

    def build(self, artifact: Artifact) -> Any:
        return self._models[artifact.digest]


def artifact(kind: ArtifactType, name: str) -> Artifact:
    """An artifact of one small file."""
    return Artifact(type=kind, files={name: FileRecord(digest=f"content of {name}", size=1)})


@pytest.fixture
def events() -> list[Event]:
    return story()


@pytest.fixture
def make_run() -> Callable[[Path, list[Event]], Path]:
    return write_run


@pytest.fixture
def library() -> MemoryLibrary:
    return MemoryLibrary(
        {
            "k-attack": {
                "report": artifact(ArtifactType.REPORT, "report.html"),
                "adversarial": artifact(ArtifactType.ADVERSARIAL, "samples.safetensors"),
                "table": artifact(ArtifactType.TABLE, "table.json"),
            }
        }
    )


@pytest.fixture
def make_library() -> type[MemoryLibrary]:
    return MemoryLibrary


@pytest.fixture
def make_artifact() -> Callable[[ArtifactType, str], Artifact]:
    return artifact


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables made: making them takes seconds."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def job(tmp_path: Path, empty_database: Path) -> MlflowJob:
    """A database and an artifact folder of the test's own."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return MlflowJob(
        uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        experiment="mnist",
        store=str(tmp_path / "store"),
        artifact_location=(tmp_path / "artifacts").as_uri(),
    )
