"""What a real pipeline leaves in MLflow: its runs, numbers, reports, data, lineage and a model that opens by itself."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import advorch
from advorch.artifacts import ArtifactType
from advorch.cli.syncing import sync_all
from advorch.session.mlflow_sink import StoreLibrary
from advorch.session.result import Run
from advorch.session.running import Options
from advorch.session.workspace import Workspace
from advorch.tracking.outbox import DRAIN, read_job

pytestmark = [  # MLflow's own business with its libraries
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:.*type hint"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

Start = Callable[..., "subprocess.Popen[str]"]
Write = Callable[..., Path]

PIPELINE = """\
version: 1
name: tracked
params: {epsilon: 0.1}
data: {digits: {uses: digits, splits: {fit: "train[:300]", select: "train[300:400]", final: "test[:40]"}}}
tracking: {mlflow: {experiment: digits-in-mlflow, models: [plain]}}
stages:
  plain:
    uses: train/erm
    in: {data: digits.fit, validation: digits.select}
    with: {model: {uses: mlp, with: {hidden: [16]}}, epochs: 3}
  hit:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd]}
    in: {model: plain.model, data: digits.final}
    with: {epsilon: "${params.epsilon}"}
  report:
    uses: evaluate/robustness
    in: {models: [plain.model], attacks: "hit[*].adversarial", data: digits.final}
"""


class Tracked:
    """Three runs of one pipeline in one workspace: everything new, everything cached, another epsilon."""

    def __init__(self, root: Path) -> None:
        from mlflow import MlflowClient

        (root / "tracked.yaml").write_text(PIPELINE)
        self.workspace = Workspace(root / ".advorch")
        self.first, self.cached = self._run(root), self._run(root)
        self.other = self._run(root, "epsilon=0.2")
        behind = sync_all(self.workspace.runs)  # a busy machine may not drain in time
        assert all(row["result"] == "synced" for row in behind)
        self.client = MlflowClient(self.workspace.mlflow_uri)

    def _run(self, root: Path, *overrides: str) -> Run:
        pipeline = advorch.load(root / "tracked.yaml", overrides=overrides, workspace=self.workspace)
        return pipeline.plan().run(Options(executor="inline", quiet=True)).check()

    def runs(self, of: Run) -> dict[str, Any]:
        """The MLflow runs of one of our runs by cell; the pipeline's own is ''."""
        experiment = self.client.get_experiment_by_name("digits-in-mlflow")
        assert experiment is not None
        query = f"tags.`advorch.run` = '{of.id}'"
        found = self.client.search_runs([experiment.experiment_id], filter_string=query)
        by_cell = {run.data.tags["advorch.cell"]: run for run in found}
        assert len(by_cell) == len(found), "no cell has two runs"
        return by_cell


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracked]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("DO_NOT_TRACK", "true")
        yield Tracked(tmp_path_factory.mktemp("tracked"))


def test_runs_are_nested_and_finished(tracked: Tracked) -> None:
    runs = tracked.runs(tracked.first)
    assert set(runs) == {"", "plain", "hit[name=fgsm]", "hit[name=pgd]", "report"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    top = runs.pop("")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {top.info.run_id}
    assert {cell: run.info.run_name for cell, run in runs.items()} == {cell: cell for cell in runs}
    assert top.info.run_name == "tracked"
    assert top.data.tags["advorch.exit_code"] == "0"
    assert all(run.info.start_time <= run.info.end_time for run in runs.values())


def test_parameters_and_metrics(tracked: Tracked) -> None:
    runs = tracked.runs(tracked.first)
    assert runs[""].data.params == {"epsilon": "0.1"}
    plain = runs["plain"].data.params
    assert (plain["epochs"], plain["model.uses"], plain["model.with.hidden"]) == ("3", "mlp", "[16]")
    assert plain["lr"] == "0.001", "defaults are told too"
    assert runs["hit[name=pgd]"].data.params["epsilon"] == "0.1"
    history = tracked.client.get_metric_history(runs["plain"].info.run_id, "loss")
    assert {point.step for point in history} == {1, 2, 3}
    for cell, metrics in tracked.first.metrics.items():
        told = runs[cell].data.metrics
        assert {name: told[name] for name in metrics} == pytest.approx(metrics)
    lifted = runs[""].data.metrics["hit.name:pgd/robust_accuracy"]
    assert lifted == tracked.first.metrics["hit[name=pgd]"]["robust_accuracy"]


def test_lineage(tracked: Tracked) -> None:
    runs, manifests = tracked.runs(tracked.first), tracked.first.manifests
    for cell, manifest in manifests.items():
        assert manifest is not None
        tags = runs[cell].data.tags
        assert tags["advorch.key"] == manifest.key
        assert tags["advorch.component"] == manifest.component
        for port, artifact in manifest.outputs.items():
            assert tags[f"advorch.output.{port}"] == artifact.digest
    plain = manifests["plain"]
    assert plain is not None
    model = plain.outputs["model"].digest
    assert runs["hit[name=fgsm]"].data.tags["advorch.input.model"] == model
    assert model in runs["report"].data.tags["advorch.input.models"]
    read = {item.tags[0].value: item.dataset for item in runs["plain"].inputs.dataset_inputs}
    assert set(read) == {"data", "validation"}
    assert len({item.digest for item in read.values()}) == 2
    again = {item.tags[0].value: item.dataset for item in runs["hit[name=pgd]"].inputs.dataset_inputs}
    assert "data" in again


def test_the_report_is_an_artifact_and_raw_samples_are_not(tracked: Tracked, tmp_path: Path) -> None:
    runs = tracked.runs(tracked.first)
    folder = Path(tracked.client.download_artifacts(runs["report"].info.run_id, "report", str(tmp_path)))
    assert (folder / "report.html").read_bytes() == tracked.first.report("report").read_bytes()
    assert sorted(folder.rglob("*.png"))
    for cell in ("hit[name=fgsm]", "hit[name=pgd]"):
        every = tracked.client.list_artifacts(runs[cell].info.run_id)
        assert not [item.path for item in every if "adversarial" in item.path]


def test_a_named_model_opens_without_us_and_says_the_same(tracked: Tracked) -> None:
    import mlflow
    import torch

    runs = tracked.runs(tracked.first)
    [logged] = runs["plain"].outputs.model_outputs
    made = tracked.client.get_logged_model(logged.model_id)
    assert str(made.status) == "READY"
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(tracked.workspace.mlflow_uri)
        opened = mlflow.pytorch.load_model(f"models:/{logged.model_id}")
    finally:
        mlflow.set_tracking_uri(before)
    job = read_job(tracked.first.folder)
    manifest = tracked.first.manifests["plain"]
    assert job is not None
    assert manifest is not None
    ours, shape = StoreLibrary(job).build(manifest.outputs["model"])
    x = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(opened(x), ours.eval()(x))


def test_a_cached_run_leaves_mlflow_alone_and_a_changed_one_says_what_was_cached(tracked: Tracked) -> None:
    assert {status.value for status in tracked.cached.statuses.values()} == {"cached"}
    assert tracked.runs(tracked.cached) == {}, "MLflow is not even started"
    runs = tracked.runs(tracked.other)
    assert runs["plain"].data.tags["advorch.cached"] == "true"
    assert "advorch.cached" not in runs["hit[name=pgd]"].data.tags
    assert runs["plain"].data.tags["advorch.key"] == tracked.runs(tracked.first)["plain"].data.tags["advorch.key"]
    assert runs["plain"].data.metrics == pytest.approx(dict(tracked.first.metrics["plain"]))
    assert runs["hit[name=pgd]"].data.params["epsilon"] == "0.2"


def test_nothing_is_unpickled_to_open_it(tracked: Tracked) -> None:
    [logged] = tracked.runs(tracked.first)["plain"].outputs.model_outputs
    tags = tracked.client.get_logged_model(logged.model_id).tags
    assert tags["advorch.serialization"] == "pt2"
    manifest = tracked.first.manifests["plain"]
    assert manifest is not None
    [artifact] = [item for item in manifest.outputs.values() if item.type is ArtifactType.MODEL]
    assert tags["advorch.digest"] == artifact.digest


class Server:
    """A real MLflow server on this machine, in a session of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.uri = f"http://127.0.0.1:{port}"
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "files"),
        ]  # fmt: skip
        quiet = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        }
        self._process = subprocess.Popen(
            command, env={**os.environ, **quiet}, cwd=folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                assert time.monotonic() < until, "the server did not start"
                assert self._process.poll() is None
                time.sleep(0.3)

    def kill(self) -> None:
        """The server and the workers that it started, by their ids, without warning."""
        import psutil

        every = []
        if self._process.poll() is None:
            every = [*psutil.Process(self._process.pid).children(recursive=True), psutil.Process(self._process.pid)]
        for process in every:
            process.kill()
        self._process.wait()
        psutil.wait_procs(every, timeout=10)


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Server]]:
    import socket

    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(folder, port))
        return started[-1]

    yield start
    for server in started:
        server.kill()


STEPS = 14


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_server_that_dies_costs_the_run_nothing_and_sync_brings_it_all(
    workspace: Path, write_pipeline: Write, advorch: Start, serve: Callable[[], Server]
) -> None:
    server = serve()
    diary = workspace / "diary"
    stages = f"  a:\n    uses: train/walk\n    with: {{steps: {STEPS}, pause: 0.7, diary: {diary}}}\n"
    stages += "  b:\n    uses: train/walk\n    seed: 1\n    needs: a\n    with: {steps: 2}\n"
    path = write_pipeline(stages)
    tracking = f"tracking: {{mlflow: {{uri: {server.uri!r}, experiment: dying}}}}"
    path.write_text(path.read_text().replace("tracking: {mlflow: false}", tracking))
    process = advorch("pipeline", "run", path, "--executor", "inline")
    _until(lambda: diary.exists() and len(diary.read_text().splitlines()) >= 8, process)
    assert _runs(server.uri), "the beginning was told while it happened"
    server.kill()
    _until(lambda: len(diary.read_text().splitlines()) >= STEPS, process)
    last_step = time.monotonic()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert time.monotonic() - last_step < DRAIN + 8
    assert "advorch run sync" in said
    again = serve()
    synced = advorch("run", "sync", "last", "-o", "json")
    out, said = synced.communicate(timeout=120)
    assert synced.returncode == 0, said
    assert json.loads(out)[0]["result"] == "synced"
    _check_whole(again.uri)
    twice = advorch("run", "sync", "last")
    twice.communicate(timeout=120)
    assert twice.returncode == 0
    _check_whole(again.uri)


def _until(holds: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def _runs(uri: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("dying")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def _check_whole(uri: str) -> None:
    from mlflow import MlflowClient

    runs = {run.data.tags["advorch.cell"]: run for run in _runs(uri)}
    assert len(_runs(uri)) == len(runs) == 3
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    history = MlflowClient(uri).get_metric_history(runs["a"].info.run_id, "place")
    assert Counter(point.step for point in history) == dict.fromkeys(range(1, STEPS + 1), 1)
