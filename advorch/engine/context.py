"""The StageContext that every host sees, the same in each of the places where a stage can run."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from advorch.artifacts import Artifact, Input, StoredInput
from advorch.canonical import Json
from advorch.components import AnyComponent
from advorch.engine.channel import Channel
from advorch.engine.group import Group
from advorch.engine.task import Report, Task
from advorch.errors import CorruptObject, ErrorClass, StageFailed, Stopped
from advorch.registry.registry import Registry
from advorch.seeds import Seeds
from advorch.store.api import Store

log = logging.getLogger(__name__)


class WorkContext:
    """What the engine lends to one attempt at one cell."""

    def __init__(
        self, task: Task, *, store: Store, registry: Registry, channel: Channel, group: Group, scratch: Path
    ) -> None:
        self.rank = group.rank
        self.world_size = group.size
        self.device = group.device
        self.seeds = Seeds(task.seed)
        self.scratch = scratch
        self.series: list[Report] = []
        self._task = task
        self._store = store
        self._registry = registry
        self._channel = channel
        self._group = group
        self._started = time.monotonic()
        self.inputs: Mapping[str, tuple[Input, ...]] = {
            port: tuple(self._lay_out(item) for item in items) for port, items in task.inputs.items()
        }

    def lookup(self, component: str) -> AnyComponent:
        """A component by id."""
        return self._registry.component(component)

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None:
        """Tell progress and commit the checkpoint; the barrier lets no rank run ahead of it."""
        if self.rank == 0:
            self.series.append(Report(step=step, metrics=dict(metrics)))
            if checkpoint is not None:
                self._commit(step, checkpoint)
            self._channel.report(step, metrics)
        if checkpoint is not None:
            self._group.barrier()
        self.pause_point()

    def resume(self) -> Path | None:
        """The newest whole checkpoint; a corrupt one is passed over for the one before it."""
        found: str | None = None
        if self.rank == 0:
            found = self._newest()
        found = self._group.agree(found)
        if found is None:
            return None
        folder, meta = self._fetch(found)
        self.series = [_parse_report(item) for item in _items(meta.get("series"))]
        return folder

    def pause_point(self) -> None:
        """Raise if the cell was asked to stop or its time is up; every rank decides alike."""
        verdict = self._group.agree(self._verdict() if self.rank == 0 else "")
        if verdict == "stop":
            raise Stopped("asked to stop")
        if verdict == "late":
            raise StageFailed(f"ran longer than its {self._task.seconds:g} s", error_class=ErrorClass.TIMEOUT)

    def _verdict(self) -> str:
        if self._store.flag(self._task.stop_flag):
            return "stop"
        late = self._task.seconds is not None and time.monotonic() - self._started > self._task.seconds
        return "late" if late else ""

    def _commit(self, step: int, checkpoint: Path) -> None:
        files = {str(path.relative_to(checkpoint)): path for path in sorted(checkpoint.rglob("*")) if path.is_file()}
        series: list[Json] = [report.plain() for report in self.series]
        partials = self._store.partials(self._task.key)
        partials.commit(f"{step:012d}", files, {"series": series})
        partials.drop(keep_last=2)

    def _newest(self) -> str | None:
        for name in reversed(self._store.partials(self._task.key).names()):
            try:
                self._fetch(name)
            except CorruptObject as error:
                log.warning("checkpoint %s is damaged and passed over: %s", name, error)
            else:
                return name
        return None

    def _fetch(self, name: str) -> tuple[Path, Mapping[str, Json]]:
        folder = self.scratch / "resume" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder, self._store.partials(self._task.key).fetch(name, folder)

    def _lay_out(self, item: object) -> Input:
        if isinstance(item, Artifact):
            folder = self._store.fetch(item, self.scratch / "inputs" / item.digest[:16])
            return StoredInput(artifact=item, folder=folder)
        return item  # type: ignore[return-value]  # a DataInput travels as it is


def _items(value: object) -> list[Mapping[str, object]]:
    return list(value) if isinstance(value, list) else []


def _parse_report(plain: Mapping[str, object]) -> Report:
    return Report(step=int(plain["step"]), metrics=dict(plain["metrics"]))  # type: ignore[call-overload]
