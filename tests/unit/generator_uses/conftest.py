"""Generators trained in small, and a bench on which stages run one after the other."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.artifacts import Artifact, ArtifactType, Outcome, Output, StoredInput
from advorch.kit.codecs import write_data
from advorch.kit.data import Data
from advorch.registry.discovery import discover
from advorch.seeds import Seeds
from advorch.testing.fakes import FakeContext

REGISTRY = discover()
Inputs = Mapping[str, StoredInput | tuple[StoredInput, ...]]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Bench:
    """Runs stages by their hosts, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def stored(self, output: Output) -> StoredInput:
        """An output as the next stage finds it."""
        return StoredInput(artifact=Artifact(type=output.type, files={}), folder=output.folder)

    def data(self, data: Data, kind: ArtifactType = ArtifactType.DATASET) -> StoredInput:
        """Samples as an input."""
        folder = self._new()
        write_data(folder, data)
        return self.stored(Output(type=kind, folder=folder))

    def samples(self, data: Data) -> StoredInput:
        """The same, as if a generator had made them."""
        return self.data(data, ArtifactType.SAMPLES)

    def context(self, inputs: Mapping[str, tuple[StoredInput, ...]] | None = None, **given: Any) -> FakeContext:
        """As a stage is given it."""
        return FakeContext(scratch=self._new(), seeds=Seeds(3), inputs=inputs or {}, components=REGISTRY, **given)

    def run(self, uses: str, inputs: Inputs, **params: Any) -> Outcome:
        """One stage, a fit or a map."""
        component: Any = REGISTRY.component(uses)
        host = importlib.import_module(component.host)
        many = {name: source if isinstance(source, tuple) else (source,) for name, source in inputs.items()}
        context, settings = self.context(many), component.schema().parse(params)
        outcome: Outcome = (
            _mapped(host.open_job(context, component, settings))
            if hasattr(host, "open_job")
            else host.run(context, component, settings)
        )
        return outcome

    def _new(self) -> Path:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder


def _mapped(job: Any) -> Outcome:
    rows = [job.map(start, min(start + job.chunk, job.count)) for start in range(0, job.count, job.chunk)]
    outcome: Outcome = job.reduce({name: torch.cat([part[name] for part in rows]) for name in rows[0]})
    return outcome


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def dark_and_bright(count: int = 60, seed: int = 0, side: int = 4) -> Data:
    """Noise of two levels, a class each."""
    rng = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 2
    x = 0.2 + 0.5 * y.view(-1, 1, 1, 1) + 0.1 * torch.rand(count, 1, side, side, generator=rng)
    return Data(x=x, y=y, ids=torch.arange(count), classes=("dark", "bright"), box=(0.0, 1.0))


@pytest.fixture
def pictures() -> Callable[..., Data]:
    return dark_and_bright
