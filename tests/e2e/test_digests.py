"""The same bytes wherever and however a stage runs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import advorch
import advorch.session.workspace
from advorch.engine.backend import Backend
from advorch.engine.bench import Bench
from advorch.engine.channel import PostingChannel
from advorch.engine.inline import InlineBackend
from advorch.engine.task import Produced, Task
from advorch.registry.discovery import discover
from advorch.session.result import Run
from advorch.session.running import Options
from advorch.store.opening import open_store

PIPELINE = """
version: 1
name: digests
seed: 3
tracking: {mlflow: false}
data:
  digits: {uses: digits, splits: {fit: "train[:200]", final: "test[:60]"}}
stages:
  net:
    uses: defend/adversarial
    in: {data: digits.fit}
    with: {model: {uses: mlp}, epochs: 2, batch: 50, alpha: 0.5, attack: {uses: pgd, with: {epsilon: 0.1, steps: 2}}}
  attack:
    uses: attack/${matrix.name}
    matrix: {name: [pgd, uniform-noise]}
    in: {model: net.model, data: digits.final}
    with: {epsilon: 0.1, chunk: 7}
"""


class Quiet:
    """A control that wants nothing."""

    channel = PostingChannel(lambda message: None)

    def stopping(self) -> bool:
        return False

    def overdue(self) -> bool:
        return False

    def committed(self) -> frozenset[str]:
        return frozenset()


def run(workspace: Path, text: str, home: str, executor: str = "inline") -> Run:
    path = workspace / "pipeline.yaml"
    path.write_text(text)
    planned = advorch.load(path, workspace=advorch.session.workspace.Workspace(workspace / home)).plan()
    return planned.run(Options(executor=executor, quiet=True)).check()  # type: ignore[arg-type]


def outputs(done: Run) -> dict[str, dict[str, str]]:
    return {
        cell: {port: artifact.digest for port, artifact in manifest.outputs.items()}
        for cell, manifest in done.manifests.items()
        if manifest
    }


def test_order_and_company_of_stages_do_not_matter(workspace: Path) -> None:
    head, _, stages = PIPELINE.partition("stages:\n")
    net, _, attack = stages.partition("  attack:\n")
    extra = "  zero:\n    uses: train/erm\n    in: {data: digits.fit}\n    with: {model: {uses: linear}, epochs: 1}\n"
    alone = outputs(run(workspace, PIPELINE, "a"))
    turned = outputs(run(workspace, f"{head}stages:\n{extra}  attack:\n{attack}{net}", "b"))
    assert {cell: turned[cell] for cell in alone} == alone


@pytest.mark.ray
def test_ray_gives_what_this_process_gives(workspace: Path) -> None:
    inline, ray = run(workspace, PIPELINE, "a"), run(workspace, PIPELINE, "b", "ray")
    assert outputs(inline) == outputs(ray)
    assert inline.metrics == ray.metrics


@pytest.fixture
def three_workers(workspace: Path) -> Iterator[Backend]:
    from advorch.engine.ray.backend import RayBackend
    from advorch.engine.ray.cluster import Cluster, ClusterSettings

    backend = RayBackend(Cluster(ClusterSettings(cpus=3, object_store=80 * 2**20)))
    yield backend
    backend.close()


def attack_task(workspace: Path, chunk: int) -> Task:
    """The task of one attack stage, as the driver would make it, in a store that has the model."""
    path = workspace / "pipeline.yaml"
    path.write_text(PIPELINE.replace("chunk: 7", f"chunk: {chunk}"))
    home = advorch.session.workspace.Workspace(workspace / f"home-{chunk}")
    pipeline = advorch.load(path, workspace=home)
    planned = pipeline.plan()
    planned.run(Options(executor="inline", quiet=True)).check()
    store = open_store(home.store_url)
    from advorch.plan.cells import BoundArtifact, Settled

    settled = planned.plan.settle("net", {})
    assert isinstance(settled, Settled)
    attack = planned.plan.settle("attack[name=pgd]", {"net": store.manifest(settled.key)})
    assert isinstance(attack, Settled)
    inputs = {
        port: tuple(item.artifact if isinstance(item, BoundArtifact) else item for item in items)
        for port, items in attack.inputs.items()
    }
    return Task(
        run="r", cell="attack", component=attack.cell.component.id, params=attack.params, inputs=inputs, key="f" * 64,
        seed=attack.seed, store=home.store_url, plugins=pipeline.registry.fingerprint(),
    )  # fmt: skip


def mapped(backend: Backend, task: Task, key: str) -> Produced:
    return backend.map(replace(task, key=key * 64), Quiet())


@pytest.mark.ray
def test_one_worker_and_three_give_the_same(workspace: Path, three_workers: Backend) -> None:
    task = attack_task(workspace, 7)
    alone, together = mapped(InlineBackend(Bench(discover())), task, "a"), mapped(three_workers, task, "b")
    assert alone.outputs == together.outputs
    assert alone.metrics == together.metrics


def test_the_size_of_a_chunk_moves_only_samples_on_the_boundary(workspace: Path) -> None:
    from safetensors.torch import load_file

    verdicts = []
    for chunk in (7, 64):
        task = attack_task(workspace, chunk)
        produced = mapped(InlineBackend(Bench(discover())), task, "a")
        folder = open_store(task.store).fetch(produced.outputs["adversarial"], workspace / f"out-{chunk}")
        tensors: dict[str, object] = {}
        for path in folder.rglob("*.safetensors"):
            tensors |= load_file(path)
        verdicts.append(tensors["success"])
    moved = int((verdicts[0] != verdicts[1]).sum())  # type: ignore[union-attr, attr-defined]
    assert moved <= 1, f"{moved} of 60 verdicts depend on the chunk"
