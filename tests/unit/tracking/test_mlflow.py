"""MLflow itself, on a database in a file: what lands there, and that it lands there once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advorch.artifacts import ArtifactType
from advorch.events import CellFinished, CellReported, Event, RunStarted, Status
from advorch.tracking.mlflow import MlflowRecorder
from advorch.tracking.outbox import MlflowJob, SyncResult
from advorch.tracking.recorder import Opening, Point, Refused, Unreachable
from advorch.tracking.replay import CURSOR_FILE
from advorch.tracking.sync import alone, sync

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN = "20261120-101502-3f9a"
ATTACK = "attack[model=plain,name=pgd]"

pytestmark = [  # MLflow's own business with its libraries
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:.*type hint"),
]

MakeRun = Callable[[Path, list[Event]], Path]


@pytest.fixture
def client(job: MlflowJob) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(job.uri)


def runs_of(client: "MlflowClient") -> "dict[str, Run]":
    experiment = client.get_experiment_by_name("mnist")
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    by_cell = {run.data.tags["advorch.cell"]: run for run in found}
    assert len(by_cell) == len(found), "a cell has two runs"
    return by_cell


def bring(folder: Path, job: MlflowJob, library: Any) -> SyncResult:
    return sync(folder, job, library, patience=0.0, follow=False)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, in which nothing may appear."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_nothing_appears_in_the_current_folder(
    tmp_path: Path, elsewhere: Path, make_run: MakeRun, events: list[Event], job: MlflowJob, library: Any
) -> None:
    assert bring(make_run(tmp_path / "runs" / RUN, events), job, library) is SyncResult.SYNCED
    assert list(elsewhere.iterdir()) == []


def test_what_a_run_looks_like_in_mlflow(
    tmp_path: Path, make_run: MakeRun, events: list[Event], job: MlflowJob, library: Any, client: "MlflowClient"
) -> None:
    folder = make_run(tmp_path / "runs" / RUN, events)
    assert bring(folder, job, library) is SyncResult.SYNCED
    runs = runs_of(client)
    pipeline, attack, trial = runs[""], runs[ATTACK], runs["robust/1"]
    assert set(runs) == {"", "plain", ATTACK, "robust", "robust/1", "bad"}
    assert attack.data.tags["mlflow.parentRunId"] == pipeline.info.run_id
    assert trial.data.tags["mlflow.parentRunId"] == runs["robust"].info.run_id
    assert {run.data.tags["advorch.run"] for run in runs.values()} == {RUN}
    assert pipeline.info.run_name == "mnist"
    assert attack.info.run_name == ATTACK
    assert pipeline.data.params == {"epsilon": "0.3", "deep.x": "[1, 2]"}
    assert len(attack.data.params["note"]) == 6000
    assert runs["plain"].data.metrics == {"clean_accuracy": 0.99}
    assert attack.data.metrics["robust_accuracy"] == 0.41
    assert pipeline.data.metrics["attack.model:plain name:pgd/robust_accuracy"] == 0.41
    assert (runs["bad"].info.status, pipeline.info.status, trial.info.status) == ("FAILED", "FAILED", "KILLED")
    assert runs["bad"].data.tags["advorch.message"] == "no memory"
    [dataset] = attack.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("data", "d" * 36)
    assert [item.path for item in client.list_artifacts(attack.info.run_id, "report")] == ["report/report.html"]
    assert attack.info.start_time < attack.info.end_time


def test_telling_again_from_the_start_adds_nothing(
    tmp_path: Path, make_run: MakeRun, events: list[Event], job: MlflowJob, library: Any, client: "MlflowClient"
) -> None:
    folder = make_run(tmp_path / "runs" / RUN, events)
    bring(folder, job, library)
    once = _content(client)
    (folder / CURSOR_FILE).unlink()
    assert bring(folder, job, library) is SyncResult.SYNCED
    assert _content(client) == once


def _content(client: "MlflowClient") -> dict[str, Any]:
    """Runs with the whole history of every metric, artifacts and datasets; ids are MLflow's own affair."""
    content = {}
    for cell, run in runs_of(client).items():
        histories = {
            name: sorted((item.step, item.timestamp, repr(item.value)) for item in client.get_metric_history(
                run.info.run_id, name
            ))
            for name in run.data.metrics
        }  # fmt: skip
        assert all(max(Counter(history).values()) == 1 for history in histories.values())
        inputs = [item.dataset.digest for item in run.inputs.dataset_inputs]
        files = [item.path for item in client.list_artifacts(run.info.run_id)]
        tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.parentRunId"}
        content[cell] = (histories, run.data.params, tags, inputs, files, run.info.status, run.info.end_time)
    return content


def test_not_a_number_and_infinity_arrive(
    tmp_path: Path, make_run: MakeRun, job: MlflowJob, library: Any, client: "MlflowClient"
) -> None:
    head = RunStarted(run=RUN, pipeline="p", file="f", profile="", executor="inline", storage="", version="0")
    metrics = {"nan": float("nan"), "up": float("inf"), "down": float("-inf")}
    finished = CellFinished(cell="a", stage="a", component="c", status=Status.DONE, metrics=metrics)
    bring(make_run(tmp_path / "runs" / RUN, [head, finished]), job, library)
    found = runs_of(client)["a"].data.metrics
    assert found["nan"] != found["nan"]
    assert found["up"] > 1e308
    assert found["down"] < -1e308


def test_thousands_of_reports_go_in_few_calls(
    tmp_path: Path, make_run: MakeRun, job: MlflowJob, library: Any, client: "MlflowClient"
) -> None:
    head = RunStarted(run=RUN, pipeline="p", file="f", profile="", executor="inline", storage="", version="0")
    start = CellFinished(cell="a", stage="a", component="c", status=Status.DONE)
    reports = [CellReported(cell="a", step=step, metrics={"loss": 1.0, "accuracy": 0.5}) for step in range(1100)]
    bring(make_run(tmp_path / "runs" / RUN, [head, start, *reports]), job, library)
    run = runs_of(client)["a"].info.run_id
    assert len(client.get_metric_history(run, "loss")) == 1100


def test_a_run_that_somebody_deleted_is_told_again(
    tmp_path: Path, make_run: MakeRun, events: list[Event], job: MlflowJob, library: Any, client: "MlflowClient"
) -> None:
    folder = make_run(tmp_path / "runs" / RUN, events)
    bring(folder, job, library)
    for run in runs_of(client).values():
        client.delete_run(run.info.run_id)
    assert runs_of(client) == {}
    assert bring(folder, job, library) is SyncResult.SYNCED
    assert len(runs_of(client)) == 6


def test_a_deleted_experiment_is_not_recorded_into(
    tmp_path: Path, make_run: MakeRun, events: list[Event], job: MlflowJob, library: Any, client: "MlflowClient"
) -> None:
    client.delete_experiment(client.create_experiment("mnist"))
    folder = make_run(tmp_path / "runs" / RUN, events)
    assert bring(folder, job, library) is SyncResult.BEHIND


def test_one_process_at_a_time(tmp_path: Path, make_run: MakeRun, job: MlflowJob, library: Any) -> None:
    folder = make_run(tmp_path / "runs" / RUN, [])
    with alone(folder) as first:
        assert first
        assert bring(folder, job, library) is SyncResult.BUSY


def test_a_closed_port_is_unreachable_and_a_bad_value_refused(job: MlflowJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Unreachable):
        MlflowRecorder("http://127.0.0.1:9", experiment="e", run="r").begin()
    recorder = MlflowRecorder(job.uri, experiment="e", run="r")
    assert not recorder.begin()
    recorder.open(Opening(cell="", parent=None, name="p", at=1.0, tags={}))
    recorder.params("", {"lr": "1"})
    recorder.params("", {"lr": "1"})
    with pytest.raises(Refused):
        recorder.params("", {"lr": "2"})
    with pytest.raises(Refused):
        recorder.points("unknown", [Point("loss", 1.0, 0, 0.0)])


def test_a_model_opens_with_mlflow_alone_gives_the_same_logits_and_gradients_and_is_logged_once(
    tmp_path: Path, make_run: MakeRun, job: MlflowJob, make_library: Any, make_artifact: Any, client: "MlflowClient"
) -> None:
    import mlflow.pytorch
    import torch
    from torch import nn

    torch.set_num_threads(1)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 3)
    )
    net(torch.rand(16, 1, 8, 8))
    weights = make_artifact(ArtifactType.MODEL, "weights")
    library = make_library({"k": {"model": weights}}, {weights.digest: (net, (1, 8, 8))})
    head = RunStarted(run=RUN, pipeline="p", file="f", profile="", executor="inline", storage="", version="0")
    finished = CellFinished(cell="robust", stage="robust", component="c", status=Status.DONE, key="k")
    job = MlflowJob(
        uri=job.uri, experiment="mnist", store="", artifact_location=job.artifact_location, models=("robust",)
    )
    folder = make_run(tmp_path / "runs" / RUN, [head, finished])
    for _ in range(2):
        assert bring(folder, job, library) is SyncResult.SYNCED
        (folder / CURSOR_FILE).unlink()
    experiment = client.get_experiment_by_name("mnist").experiment_id
    [logged] = client.search_logged_models([experiment])
    assert (str(logged.status), logged.source_run_id) == ("READY", runs_of(client)["robust"].info.run_id)
    loaded = mlflow.pytorch.load_model(logged.artifact_location)
    x = torch.rand(5, 1, 8, 8, requires_grad=True)
    logits = loaded(x)
    assert torch.equal(logits, net.eval()(x))
    [gradient] = torch.autograd.grad(logits.sum(), x)
    assert gradient.abs().sum() > 0


def test_a_model_whose_graph_depends_on_values_is_pickled(tmp_path: Path) -> None:
    import mlflow.pytorch
    import torch
    from torch import nn

    from advorch.tracking.mlflow_model import Origin, save

    class Fickle(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x if x.sum() > 0 else -x)

    net = Fickle(nn.Linear(4, 2))
    assert save(net, (4,), tmp_path / "model", Origin()) == "pickle"
    loaded = mlflow.pytorch.load_model(str(tmp_path / "model"))
    x = torch.rand(3, 4)
    assert torch.equal(loaded(x), net(x))
