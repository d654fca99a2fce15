"""One cell from its key to its manifest: claim, attempts, commit."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from advorch.artifacts import DataInput
from advorch.canonical import Json
from advorch.components import Shape
from advorch.engine.backend import Backend
from advorch.engine.channel import Channel
from advorch.engine.slots import Slots, Underway
from advorch.engine.task import Produced, Task, TaskInput
from advorch.errors import StageFailed, Stopped, StoreError
from advorch.events import CellRetried, CellStarted, CellWaiting, Event
from advorch.plan.cells import BoundArtifact, Cell, Settled, threads_of, world_size
from advorch.store.api import Owner, Store
from advorch.store.manifest import Manifest

log = logging.getLogger(__name__)


class Searching(Protocol):
    """Runs a sweep: its trials are cells too, and hold what they need while the sweep itself holds nothing."""

    def __call__(self, shop: "Shop", settled: Settled, control: "CellControl") -> Produced:
        """The winner's outputs."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What every cell of a run works with; `above` stands before the names of cells inside a sweep."""

    run: str
    store: Store
    backend: Backend
    owner: Owner
    emit: Callable[[Event], None]
    channel_for: Callable[[str], Channel]
    stopping: Callable[[], bool]
    plugins: Mapping[str, str]
    environment: Callable[[], Mapping[str, Json]]
    forces: Callable[[Cell], bool]
    slots: Slots
    search: Searching
    underway: Underway = field(default_factory=Underway)
    above: str = ""
    disabled: tuple[str, ...] = ()
    wait: bool = True
    sleep: Callable[[float], None] = time.sleep


@dataclass(kw_only=True)
class CellControl:
    """The driver's end of a running task."""

    shop: Shop
    task: Task
    channel: Channel
    started: float = field(default_factory=time.monotonic)

    def stopping(self) -> bool:
        """Whether the run is being stopped."""
        return self.shop.stopping()

    def overdue(self) -> bool:
        """Whether the stage's own timeout has passed."""
        return self.task.seconds is not None and time.monotonic() - self.started > self.task.seconds

    def committed(self) -> frozenset[str]:
        """Chunks that an earlier attempt or run committed."""
        return frozenset(self.shop.store.partials(self.task.key).names())


def compute(shop: Shop, settled: Settled) -> tuple[Manifest, bool]:
    """The manifest of a key, and whether it was computed here or found after waiting for another run."""
    with shop.store.claim(settled.key, shop.owner, wait=shop.wait, stopping=_Waiting(shop, settled.cell)):
        if shop.forces(settled.cell):
            shop.store.forget(settled.key)
            shop.store.partials(settled.key).drop()
        found = shop.store.manifest(settled.key)
        if found is not None:
            return found, False
        started = time.time()
        produced = _attempts(shop, settled)
        manifest = shop.store.commit(_manifest(shop, settled, produced, started))
        _tidy(shop, settled.key)
        return manifest, True


class _Waiting:
    """Asked by the store while another run holds the key: tells that once, and whether to go on waiting."""

    def __init__(self, shop: Shop, cell: Cell) -> None:
        self._shop = shop
        self._cell = cell
        self._told = False

    def __call__(self) -> bool:
        if not self._told:
            self._told = True
            reason = "waits for another run that computes the same key"
            self._shop.emit(CellWaiting(cell=self._cell.address, reason=reason))
        self._shop.backend.rest()
        return self._shop.stopping()


def _tidy(shop: Shop, key: str) -> None:
    """Checkpoints and chunks have done their service; what cannot be removed now, collection removes later."""
    try:
        shop.store.partials(key).drop()
    except StoreError as error:
        log.warning("partial results of %s stay for now: %s", key[:12], error)


def task_for(shop: Shop, settled: Settled) -> Task:
    """The plain description that travels to a worker."""
    cell, resources = settled.cell, settled.cell.resources
    inputs = {port: tuple(_travelling(item) for item in items) for port, items in settled.inputs.items()}
    return Task(
        run=shop.run, cell=f"{shop.above}{cell.address}", component=cell.component.id, params=settled.params,
        inputs=inputs, key=settled.key, seed=settled.seed, store=shop.store.url, plugins=shop.plugins,
        disabled=shop.disabled,
        threads=threads_of(resources), cpus=resources.cpus, gpus=resources.gpus, memory=resources.memory,
        workers=world_size(cell.component, resources), placement=resources.placement, seconds=cell.timeout,
    )  # fmt: skip


def _travelling(item: BoundArtifact | DataInput) -> TaskInput:
    return item.artifact if isinstance(item, BoundArtifact) else item


def _attempts(shop: Shop, settled: Settled) -> Produced:
    retry, task = settled.cell.retry, task_for(shop, settled)
    attempt = 1
    while True:
        shop.emit(_started(settled, attempt))
        try:
            return _attempt(shop, settled, replace(task, attempt=attempt))
        except StageFailed as failure:
            if attempt > retry.max or failure.error_class.value not in retry.on:
                raise
            delay = min(retry.delay * retry.factor ** (attempt - 1), retry.longest)
            shop.emit(_retried(settled, attempt, failure, delay))
            _wait(shop, delay)
            attempt += 1


def _attempt(shop: Shop, settled: Settled, task: Task) -> Produced:
    control = CellControl(shop=shop, task=task, channel=shop.channel_for(settled.cell.address))
    try:
        if settled.cell.component.shape is Shape.SWEEP:
            return shop.search(shop, settled, control)
        run = shop.backend.map if settled.cell.component.shape is Shape.MAP else shop.backend.fit
        return run(task, control)
    except StageFailed as failure:
        control.channel.log(failure.details or failure.render())
        raise


def _wait(shop: Shop, delay: float) -> None:
    until = time.monotonic() + delay
    while time.monotonic() < until:
        if shop.stopping():
            raise Stopped("stopped while waiting for the next attempt")
        shop.sleep(min(0.2, delay))


def _started(settled: Settled, attempt: int) -> CellStarted:
    cell = settled.cell
    return CellStarted(
        cell=cell.address, stage=cell.stage, component=cell.component.id, key=settled.key, attempt=attempt,
        params=settled.params, inputs=described(settled),
    )  # fmt: skip


def described(settled: Settled) -> dict[str, Json]:
    """What reached each port, by content and in words."""
    return {port: [_described(item) for item in items] for port, items in settled.inputs.items()}


def _described(item: BoundArtifact | DataInput) -> dict[str, Json]:
    if isinstance(item, BoundArtifact):
        name = f"{item.cell}.{item.port}"
        return {"name": name, "digest": item.artifact.digest, "type": item.artifact.type.value}
    return {"name": f"{item.uses} {item.split}", "digest": item.digest, "type": "dataset"}


def _retried(settled: Settled, attempt: int, failure: StageFailed, delay: float) -> CellRetried:
    return CellRetried(
        cell=settled.cell.address, attempt=attempt, error_class=failure.error_class.value,
        message=failure.message, delay=delay, most=settled.cell.retry.max,
    )  # fmt: skip


def _manifest(shop: Shop, settled: Settled, produced: Produced, started: float) -> Manifest:
    ended = time.time()
    return Manifest(
        key=settled.key, parts=settled.parts, component=settled.cell.component.id, outputs=produced.outputs,
        metrics=produced.metrics, series={"reports": [report.plain() for report in produced.series]},
        seed=settled.seed, environment=shop.environment(), timings={"seconds": ended - started}, run=shop.run,
        created=ended,
    )  # fmt: skip
