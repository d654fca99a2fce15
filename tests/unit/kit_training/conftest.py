"""A stage's context without an engine, and small data."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from advorch.artifacts import Artifact, ArtifactType, DataInput, Input, Outcome, StoredInput
from advorch.components import AnyComponent
from advorch.errors import Stopped
from advorch.seeds import Seeds
from advorch_builtins.attacks import catalog as attacks
from advorch_builtins.datasets import catalog as datasets
from advorch_builtins.defenses import catalog as defenses
from advorch_builtins.models import catalog as models
from advorch_builtins.parts import catalog as parts
from advorch_builtins.training import catalog as training

CATALOGS = (attacks, datasets, defenses, models, parts, training)


@dataclass
class Desk:
    """Looks components up, keeps reports, and copies checkpoints as an engine would commit them."""

    scratch: Path
    inputs: Mapping[str, tuple[Input, ...]] = field(default_factory=dict)
    seeds: Seeds = Seeds(11)
    rank: int = 0
    world_size: int = 1
    device: str = "cpu"
    stop_after: int | None = None
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    committed: list[Path] = field(default_factory=list)

    def lookup(self, component: str) -> AnyComponent:
        return next(item for part in CATALOGS for item in part.advorch_components() if item.id == component)

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None:
        self.reports.append((step, dict(metrics)))
        if checkpoint is not None:
            self.committed.append(Path(shutil.copytree(checkpoint, self.scratch / "committed" / str(step))))
        if self.stop_after == step:
            raise Stopped("asked to stop")

    def resume(self) -> Path | None:
        return self.committed[-1] if self.committed else None


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(scratch=tmp_path)


@pytest.fixture
def declared() -> type:
    """Makes inputs as the plan does."""

    class Declared:
        @staticmethod
        def data(uses: str = "digits", split: str = "train", **params: object) -> tuple[DataInput, ...]:
            return (DataInput(uses=uses, params=params, split=split, digest="d"),)

        @staticmethod
        def stored(outcome: Outcome, port: str) -> tuple[StoredInput, ...]:
            output = outcome.outputs[port]
            return (StoredInput(artifact=Artifact(type=output.type, files={}, meta=output.meta), folder=output.folder),)

        @staticmethod
        def folder(folder: Path, type: ArtifactType) -> StoredInput:
            return StoredInput(artifact=Artifact(type=type, files={}), folder=folder)

    return Declared
