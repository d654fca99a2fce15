"""The MLflow process of a run: `python -m advorch.session.mlflow_sink FOLDER [--once]`; its output is a log file."""

import argparse
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.artifacts import Artifact
from advorch.registry.discovery import discover
from advorch.store.opening import open_store
from advorch.tracking.outbox import MlflowJob, SyncResult, read_job

if TYPE_CHECKING:
    from torch import nn

    from advorch.kit.codecs import ModelRecord

PATIENCE = 20.0
NICENESS = 5


class StoreLibrary:
    """The results of a run in its store; models are built by the plugins that the run used."""

    def __init__(self, job: MlflowJob) -> None:
        self._store = open_store(job.store)
        self._disabled = job.disabled_plugins

    def outputs(self, key: str) -> Mapping[str, Artifact]:
        """The outputs of a key by port; empty when they are gone."""
        manifest = self._store.manifest(key)
        return manifest.outputs if manifest else {}

    def lay_out(self, artifact: Artifact, into: Path) -> Path:
        """The files of an artifact in a folder."""
        into.mkdir(parents=True, exist_ok=True)
        return self._store.fetch(artifact, into)

    def build(self, artifact: Artifact) -> "tuple[nn.Module, tuple[int, ...]]":
        """The module of a model artifact with its weights, and the shape of one sample."""
        import torch

        from advorch.kit.codecs import read_model, read_record

        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory(prefix="advorch-build-") as scratch:
            folder = self.lay_out(artifact, Path(scratch))
            return read_model(folder, self._construct), read_record(folder).signature.shape

    def _construct(self, record: "ModelRecord") -> "nn.Module":
        component = discover(disabled=self._disabled).component(record.component)
        module: nn.Module = component.load()(component.params.parse(record.params), record.signature)
        return module


def main(arguments: Sequence[str] | None = None) -> SyncResult:
    """Record one run; the exit code is the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--once", action="store_true", help="catch up with what is there, do not follow the run")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to go on without an answer")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    job = read_job(asked.folder)
    if job is None:
        parser.error(f"{asked.folder} was run without MLflow")
    from advorch.tracking.sync import sync

    os.nice(NICENESS)
    return sync(asked.folder, job, StoreLibrary(job), patience=asked.patience, follow=not asked.once)


if __name__ == "__main__":
    raise SystemExit(main())
