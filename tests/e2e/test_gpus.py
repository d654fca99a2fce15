"""Assignment of GPUs, on a cluster that only believes it has some."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from advorch.engine.backend import Backend
from advorch.engine.channel import PostingChannel
from advorch.engine.task import Task
from advorch.errors import InfrastructureError
from advorch.registry.discovery import discover


class Quiet:
    channel = PostingChannel(lambda message: None)

    def stopping(self) -> bool:
        return False

    def overdue(self) -> bool:
        return False

    def committed(self) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def two_gpus(workspace: Path) -> Iterator[Backend]:
    from advorch.engine.ray.backend import RayBackend
    from advorch.engine.ray.cluster import Cluster, ClusterSettings

    backend = RayBackend(Cluster(ClusterSettings(cpus=2, gpus=2, object_store=80 * 2**20)))
    yield backend
    backend.close()


def complaint(backend: Backend, workspace: Path, gpus: float) -> str:
    task = Task(
        run="r", cell="walk", component="train/walk", params={"steps": 1}, inputs={}, key="a" * 64, seed=7,
        store=str(workspace / "store"), plugins=discover().fingerprint(), gpus=gpus,
    )  # fmt: skip
    with pytest.raises(InfrastructureError) as caught:
        backend.fit(task, Quiet())
    return caught.value.message


@pytest.mark.ray
def test_a_worker_sees_its_own_gpus_and_says_so_when_torch_cannot_use_them(two_gpus: Backend, workspace: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: nothing to believe in")
    assert two_gpus.capacity()["gpu"] == 2
    assert "given GPU '0' but torch" in complaint(two_gpus, workspace, 0.5)
    assert "given GPU '0,1'" in complaint(two_gpus, workspace, 2), "the half worker made room"
