"""Sweeps on a Ray of two CPUs: trials hold what their cells do, lose their workers, and may be gangs."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import advorch
from advorch.engine.ray.cluster import Cluster, ClusterSettings
from advorch.events import CellFinished
from advorch.session.result import Run
from advorch.session.running import Options
from advorch.tracking.journal import FILE, read

Write = Callable[..., Path]

SWEEP = """
  best:
    tune:
      space: {start: {uniform: [0, 1]}}
      objective: {metric: walk.end, goal: maximize}
      search: {algorithm: random, trials: TRIALS, concurrency: 6}
    stages:
      walk:
        uses: train/walk
        with: {steps: 3, start: "${trial.start}", EXTRA}
    out: {table: walk.table}
  after: {uses: evaluate/join, in: {tables: [best.table]}}
"""


@pytest.fixture
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The private cluster of a run has two CPUs, wherever the test runs."""
    start = Cluster.__init__

    def small(cluster: Cluster, settings: ClusterSettings) -> None:
        start(cluster, ClusterSettings(cpus=2, object_store=80 * 2**20))

    monkeypatch.setattr(Cluster, "__init__", small)


def run(path: Path, executor: str = "ray") -> Run:
    return advorch.load(path).plan().run(Options(executor=executor, quiet=True))  # type: ignore[arg-type]


def ended(workspace: Path) -> dict[str, CellFinished]:
    """How every cell of the newest run ended."""
    folder = sorted((workspace / ".advorch" / "runs").iterdir())[-1]
    return {entry.event.cell: entry.event for entry in read(folder / FILE) if isinstance(entry.event, CellFinished)}


def trials(workspace: Path) -> dict[str, CellFinished]:
    every = ended(workspace)
    numbered = {cell: event for cell, event in every.items() if cell.rpartition("/")[2].isdigit()}
    return {cell.rpartition("/")[2]: event for cell, event in numbered.items()}


@pytest.mark.ray
@pytest.mark.usefixtures("two_cpus")
def test_six_trials_at_a_time_share_two_cpus_and_a_lost_worker_costs_nothing_but_time(
    workspace: Path, write_pipeline: Write
) -> None:
    once, diary = workspace / "died", workspace / "steps"
    extra = f"trouble: \"${{'lost' if trial.start > 0.5 else 'none'}}\", once: {once}, diary: {diary}, pause: 0.05"
    path = write_pipeline(SWEEP.replace("TRIALS", "8").replace("EXTRA", extra))
    done = run(path)
    assert done.exit_code == 0
    assert once.exists(), "a worker died"
    ends = trials(workspace)
    assert {event.status.value for event in ends.values()} == {"done"}, "the loss of a worker is no fault of the values"
    assert len(diary.read_text().splitlines()) <= 8 * 3 + 1
    os.environ["ADVORCH_HOME"] = str(workspace / "quiet")
    try:
        undisturbed = run(path, "inline")
    finally:
        del os.environ["ADVORCH_HOME"]
    assert undisturbed.metrics == done.metrics


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("two_cpus")
def test_trials_that_are_gangs_finish_on_a_cluster_as_small_as_one_of_them(
    workspace: Path, write_pipeline: Write
) -> None:
    text = """
  best:
    tune:
      space: {lr: {loguniform: [0.001, 0.1]}}
      objective: {metric: train.clean_accuracy, goal: maximize}
      search: {algorithm: random, trials: 8}
    stages:
      train:
        uses: train/erm
        in: {data: moons.train, validation: moons.test}
        with: {model: {uses: mlp}, epochs: 1, lr: "${trial.lr}"}
        resources: {workers: 2, cpus: 1}
    out: {model: train.model}
"""
    done = run(write_pipeline(text, head="data: {moons: {uses: moons}}"))
    assert done.exit_code == 0
    assert [event.status.value for event in trials(workspace).values()] == ["done"] * 8


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_driver_killed_in_mid_sweep_repeats_no_finished_trial(
    workspace: Path, write_pipeline: Write, advorch: Callable[..., object]
) -> None:
    diary = workspace / "steps"
    extra = f"diary: {diary}, pause: 0.3"
    path = write_pipeline(
        SWEEP.replace("TRIALS", "8").replace("EXTRA", extra).replace("concurrency: 6", "concurrency: 2")
    )
    process = advorch("pipeline", "run", path)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not diary.exists() or len(diary.read_text().splitlines()) < 11):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    process.wait()  # type: ignore[attr-defined]
    again = advorch("pipeline", "run", path)
    _, complaint = again.communicate(timeout=120)  # type: ignore[attr-defined]
    assert again.returncode == 0, complaint  # type: ignore[attr-defined]
    assert len(diary.read_text().splitlines()) <= 8 * 3 + 4, "at most the steps under way are walked twice"
    assert len(trials(workspace)) == 8
    os.environ["ADVORCH_HOME"] = str(workspace / "quiet")
    try:
        undisturbed = run(path, "inline")
    finally:
        del os.environ["ADVORCH_HOME"]
    assert undisturbed.metrics["best"] == ended(workspace)["best"].metrics
