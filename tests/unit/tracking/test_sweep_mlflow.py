"""A sweep in MLflow: its trials nested below it with what they drew, measured and came to, their cells below them."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advorch.artifacts import Artifact, ArtifactType, FileRecord
from advorch.events import (
    CellFinished,
    CellReported,
    CellStarted,
    Event,
    RunFinished,
    RunStarted,
    Status,
)
from advorch.tracking.journal import Journal
from advorch.tracking.outbox import MlflowJob, SyncResult
from advorch.tracking.sync import sync

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

RUN = "20261120-101502-3f9a"
MODEL, TABLE = "e" * 64, "f" * 64
ENDS = (Status.DONE, Status.PRUNED, Status.FAILED, Status.DONE)


def drawn(number: int) -> dict[str, Any]:
    return {"epsilon": 0.1 * (number + 1), "kind": "a"}


def sweep_events(count: int = 4) -> Iterator[Event]:
    yield RunStarted(
        run=RUN, pipeline="moons", file="f.yaml", profile="", executor="inline", storage="", version="0",
        cells=("robust", "train"),
    )  # fmt: skip
    sweep = {"cell": "robust", "stage": "robust", "component": "core/sweep", "key": "k-robust"}
    yield CellStarted(**sweep, params={"objective": ["maximize train.accuracy"], "trials": count})  # type: ignore[arg-type]
    for number in range(count):
        yield from trial_events(number, ENDS[number % 4])
    yield from refit_events()
    yield CellFinished(
        **sweep, status=Status.DONE, metrics={"train.accuracy": 0.9}, outputs={"model": MODEL, "trials": TABLE}  # type: ignore[arg-type]
    )  # fmt: skip
    yield RunFinished(run=RUN, exit_code=0, seconds=9.0)


def trial_events(number: int, end: Status) -> Iterator[Event]:
    trial = {"cell": f"robust/{number}", "stage": "robust", "component": "core/trial", "key": "k-search"}
    inner = {"cell": f"robust/{number}/train", "stage": "train", "component": "train/erm", "key": f"k-{number}"}
    yield CellStarted(**trial, params=drawn(number))  # type: ignore[arg-type]
    yield CellStarted(**inner, params={"lr": 0.1, "model": {"uses": "mlp"}}, inputs={"data": ["d" * 64]})  # type: ignore[arg-type]
    for step in (1, 2, 3):
        yield CellReported(cell=f"robust/{number}/train", step=step, metrics={"loss": 1 / step})
        yield CellReported(cell=f"robust/{number}", step=step, metrics={"loss": 1 / step})
    halted = {Status.PRUNED: Status.STOPPED}.get(end, end)
    done = {"metrics": {"accuracy": 0.5 + number / 100}, "outputs": {"model": MODEL}} if end is Status.DONE else {}
    yield CellFinished(**inner, status=halted, seconds=1.0, **done)  # type: ignore[arg-type]
    metrics = {"train.accuracy": 0.5 + number / 100} if end is Status.DONE else {}
    message = "train: no memory" if end is Status.FAILED else ""
    yield CellFinished(**trial, status=end, seconds=2.0, metrics=metrics, message=message, params=drawn(number))  # type: ignore[arg-type]


def refit_events() -> Iterator[Event]:
    refit = {"cell": "robust/refit-1-1", "stage": "robust", "component": "core/refit", "key": "k-search"}
    yield CellStarted(**refit, params=drawn(3))  # type: ignore[arg-type]
    yield CellFinished(**refit, status=Status.DONE, seconds=2.0, metrics={"train.accuracy": 0.9})  # type: ignore[arg-type]


class Shelf:
    """The table of trials, and models that nobody must ask for."""

    def __init__(self) -> None:
        self.built = 0

    def outputs(self, key: str) -> Mapping[str, Artifact]:
        files = {"table.json": FileRecord(digest=TABLE, size=1)}
        table = Artifact(type=ArtifactType.TABLE, files=files)
        model = Artifact(type=ArtifactType.MODEL, files={"weights": FileRecord(digest=MODEL, size=1)})
        return {"model": model, "trials": table} if key == "k-robust" else {"model": model}

    def lay_out(self, artifact: Artifact, into: Path) -> Path:
        into.mkdir(parents=True)
        rows = [[0, "done", 2], [1, "pruned", None], [2, "failed", None], [3, "done", 1]]
        (into / "table.json").write_text(json.dumps({"columns": ["trial", "state", "rank"], "rows": rows}))
        return into

    def build(self, artifact: Artifact) -> Any:
        self.built += 1
        raise AssertionError("no model was asked for")


def bring(folder: Path, events: Iterator[Event], job: MlflowJob) -> None:
    journal = Journal(folder)
    for event in events:
        journal.emit(event)
    journal.close()
    shelf = Shelf()
    assert sync(folder, job, shelf, patience=5.0, follow=False) is SyncResult.SYNCED
    assert shelf.built == 0


@pytest.fixture
def client(job: MlflowJob) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(job.uri)


def runs_of(client: "MlflowClient") -> "dict[str, Run]":
    found = client.search_runs([client.get_experiment_by_name("mnist").experiment_id], max_results=1000)
    return {run.data.tags["advorch.cell"]: run for run in found}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> "MlflowClient":
    """A sweep told once for all who look at it."""
    from mlflow import MlflowClient

    root = tmp_path_factory.mktemp("sweep")
    shutil.copy(empty_database, root / "mlflow.db")
    uri = f"sqlite:///{root / 'mlflow.db'}"
    job = MlflowJob(uri=uri, experiment="mnist", store="", artifact_location=(root / "artifacts").as_uri())
    bring(root / RUN, sweep_events(), job)
    return MlflowClient(uri)


@pytest.fixture
def told(shared: "MlflowClient") -> "dict[str, Run]":
    return runs_of(shared)


def test_trials_are_nested_below_their_sweep_and_their_cells_below_them(told: "dict[str, Run]") -> None:
    def parent(cell: str) -> str:
        above = told[cell].data.tags["mlflow.parentRunId"]
        return next(name for name, run in told.items() if run.info.run_id == above)

    trials = [f"robust/{number}" for number in range(4)]
    assert set(told) == {"", "robust", *trials, *(f"{trial}/train" for trial in trials), "robust/refit-1-1"}
    assert parent("robust") == ""
    assert {parent(cell) for cell in [*trials, "robust/refit-1-1"]} == {"robust"}
    assert all(parent(f"{trial}/train") == trial for trial in trials)


def test_a_trial_has_its_values_its_curve_and_how_it_ended(told: "dict[str, Run]", shared: "MlflowClient") -> None:
    first = told["robust/0"]
    assert first.data.params == {"epsilon": "0.1", "kind": "a"}
    assert first.data.metrics["train.accuracy"] == 0.5
    curve = shared.get_metric_history(first.info.run_id, "loss")
    assert [(point.step, point.value) for point in sorted(curve, key=lambda point: point.step)] == [
        (1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3)),
    ]  # fmt: skip
    ends = {number: told[f"robust/{number}"].info.status for number in range(4)}
    assert ends == {0: "FINISHED", 1: "KILLED", 2: "FAILED", 3: "FINISHED"}
    states = [told[f"robust/{number}"].data.tags["advorch.status"] for number in range(4)]
    assert states == ["done", "pruned", "failed", "done"]
    assert told["robust/2"].data.tags["advorch.message"] == "train: no memory"
    assert told["robust/3"].data.tags["advorch.trial"] == "3"
    assert told["robust/1/train"].info.status == "KILLED"


def test_winners_bear_their_rank_and_nothing_of_a_trial_stands_at_the_pipeline(told: "dict[str, Run]") -> None:
    ranks = {cell: run.data.tags.get("advorch.rank") for cell, run in told.items()}
    assert {cell: rank for cell, rank in ranks.items() if rank} == {"robust/3": "1", "robust/0": "2"}
    assert told["robust/3"].data.tags["advorch.winner"] == "true"
    assert told["robust/0"].data.tags["advorch.winner"] == "false"
    assert set(told[""].data.metrics) == {"robust/train.accuracy"}


def test_models_of_trials_are_not_those_of_a_stage_of_their_name(
    tmp_path: Path, job: MlflowJob, client: "MlflowClient"
) -> None:
    bring(tmp_path / RUN, sweep_events(1), replace(job, models=("train",)))  # a stage of the pipeline has that name
    assert not client.search_logged_models([client.get_experiment_by_name("mnist").experiment_id])


@pytest.mark.long
def test_a_hundred_trials_are_told_in_seconds(tmp_path: Path, job: MlflowJob, client: "MlflowClient") -> None:
    started = time.process_time()
    bring(tmp_path / RUN, sweep_events(100), job)
    spent = time.process_time() - started
    assert len(runs_of(client)) == 203
    assert spent < 40, f"{spent:.0f} s for 203 runs"
