"""The worker's side: finds components by itself, opens inputs, and lets a host do the work."""

import importlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from advorch.artifacts import Outcome
from advorch.components import AnyStageComponent
from advorch.engine.capture import captured
from advorch.engine.channel import Channel
from advorch.engine.context import WorkContext
from advorch.engine.group import Alone, Group
from advorch.engine.scratch import new_folder, scratch
from advorch.engine.surroundings import device_of, seed_everything, surroundings
from advorch.engine.tally import Tally
from advorch.engine.task import Produced, Task
from advorch.errors import PluginMismatch
from advorch.hosts.job import FitHost, MapHost, MapJob
from advorch.registry.discovery import discover
from advorch.registry.registry import Registry
from advorch.store.api import DurableHook, Store
from advorch.store.backend import nothing
from advorch.store.opening import open_store

if TYPE_CHECKING:
    from torch import Tensor


class Bench:
    """One worker process, or this process when a run is inline."""

    def __init__(self, registry: Registry | None = None, on_durable: DurableHook = nothing) -> None:
        self._registry = registry
        self._on_durable = on_durable
        self._stores: dict[str, Store] = {}
        self._open: OpenJob | None = None

    def fit(self, task: Task, channel: Channel, group: Group | None = None) -> Produced:
        """A whole fit; every rank of a gang calls it, and only rank 0 has outputs."""
        self.close()  # what a map left open is memory that a fit may need
        with captured(channel.log), surroundings(task), scratch() as folder:
            context = self._context(task, channel, group or Alone(device_of(task)), folder)
            component, settings = self._component(task)
            host = cast("FitHost", importlib.import_module(component.host))
            outcome = host.run(context, component, settings)
            return self._produced(task, context, outcome)

    def count(self, task: Task, channel: Channel) -> tuple[int, int]:
        """How many samples a map task has, and how many make a chunk."""
        with captured(channel.log), surroundings(task):
            job = self._opened(task, channel).job
            return job.count, job.chunk

    def chunk(self, task: Task, index: int, channel: Channel) -> Tally:
        """Compute one chunk and commit its rows; what they tell whoever waits."""
        from safetensors.torch import save_file

        with captured(channel.log), surroundings(task), scratch() as folder:
            job = self._opened(task, channel).job
            seed_everything(task.seed, index)
            start = index * job.chunk
            rows = job.map(start, min(start + job.chunk, job.count))
            save_file({name: tensor.contiguous().cpu() for name, tensor in rows.items()}, folder / "rows.safetensors")
            files = {"rows.safetensors": folder / "rows.safetensors"}
            self._store(task).partials(task.key).commit(chunk_name(index), files)
            return job.so_far(rows)

    def reduce(self, task: Task, channel: Channel) -> Produced:
        """Merge all chunks in order and produce the outputs."""
        with captured(channel.log), surroundings(task), scratch() as folder:
            opened = self._opened(task, channel)
            rows = self._rows(task, opened.job, folder)
            return self._produced(task, opened.context, opened.job.reduce(rows))

    def close(self) -> None:
        """Let go of the inputs of the last map task."""
        if self._open:
            self._open.close()
            self._open = None

    def _rows(self, task: Task, job: MapJob, folder: Path) -> Mapping[str, "Tensor"]:
        import torch
        from safetensors.torch import load_file

        chunks: list[dict[str, Tensor]] = []
        for index in range(chunk_count(job.count, job.chunk)):
            into = folder / chunk_name(index)
            into.mkdir()
            self._store(task).partials(task.key).fetch(chunk_name(index), into)
            chunks.append(load_file(into / "rows.safetensors"))
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in (chunks[0] if chunks else {})}

    def _opened(self, task: Task, channel: Channel) -> "OpenJob":
        if self._open is None or self._open.key != task.key:
            self.close()
            self._open = self._open_job(task, channel)
        return self._open

    def _open_job(self, task: Task, channel: Channel) -> "OpenJob":
        folder = new_folder()
        context = self._context(task, channel, Alone(device_of(task)), folder)
        component, settings = self._component(task)
        host = cast("MapHost", importlib.import_module(component.host))
        return OpenJob(task.key, context, host.open_job(context, component, settings))

    def _context(self, task: Task, channel: Channel, group: Group, folder: Path) -> WorkContext:
        registry, store = self._discovered(task), self._store(task)
        return WorkContext(task, store=store, registry=registry, channel=channel, group=group, scratch=folder)

    def _component(self, task: Task) -> tuple[AnyStageComponent, object]:
        component = cast("AnyStageComponent", self._discovered(task).component(task.component))
        return component, component.schema().parse(task.params)

    def _discovered(self, task: Task) -> Registry:
        if self._registry is None:
            self._registry = discover(disabled=task.disabled)
        difference = self._registry.difference(task.plugins)
        if difference:
            hint = "install the same distributions and versions on every node"
            raise PluginMismatch("a worker differs from the driver: " + "; ".join(difference), hint=hint)
        return self._registry

    def _store(self, task: Task) -> Store:
        if task.store not in self._stores:
            self._stores[task.store] = open_store(task.store, on_durable=self._on_durable)
        return self._stores[task.store]

    def _produced(self, task: Task, context: WorkContext, outcome: Outcome) -> Produced:
        if context.rank != 0:
            return Produced(outputs={})
        store = self._store(task)
        outputs = {port: store.put_output(output) for port, output in sorted(outcome.outputs.items())}
        metrics = {name: float(value) for name, value in sorted(outcome.metrics.items())}
        return Produced(outputs=outputs, metrics=metrics, series=tuple(context.series))


class OpenJob:
    """A map task's inputs, loaded once for many chunks."""

    def __init__(self, key: str, context: WorkContext, job: MapJob) -> None:
        self.key = key
        self.context = context
        self.job = job

    def close(self) -> None:
        """Remove the folder that the inputs were laid out in."""
        shutil.rmtree(self.context.scratch, ignore_errors=True)


def chunk_name(index: int) -> str:
    """Zero-padded, so that names sort as numbers."""
    return f"{index:08d}"


def chunk_count(count: int, chunk: int) -> int:
    """How many chunks cover so many samples."""
    return -(-count // chunk)
