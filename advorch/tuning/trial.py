"""One trial: the inner stages with its values, driven like any other cells of the run."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from advorch.components import Shape
from advorch.engine.cell import Shop
from advorch.engine.channel import NOTHING, Channel
from advorch.engine.driver import Desk, Driver, Policy
from advorch.engine.ledger import Ledger
from advorch.engine.task import stop_flag
from advorch.errors import AdvorchError, CorruptObject, ErrorClass, InfrastructureError, StageFailed, Stopped
from advorch.events import CellFinished, CellStarted, Event, RunFinished, RunStarted, Status
from advorch.plan.cells import Cell, world_size
from advorch.plan.plan import Plan
from advorch.plan.sweep import Search
from advorch.store.manifest import Manifest
from advorch.tuning.book import Trial

Watch: TypeAlias = Callable[[str, int, Mapping[str, float]], None]


LOSSES = (ErrorClass.NODE_LOST, ErrorClass.PREEMPTED)


class Halt(threading.Event):
    """Set for one trial, or because everything around it stops."""

    def __init__(self, around: Callable[[], bool]) -> None:
        super().__init__()
        self._around = around

    def is_set(self) -> bool:
        return super().is_set() or self._around()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What driving a trial came to; `failure` says why it found nothing, `halted` that it was told to.

    One that `lost` its worker is no worse for it: it is to be driven again.
    """

    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    failure: str = ""
    halted: bool = False
    lost: StageFailed | None = None
    gpu_seconds: float = 0.0


class TrialRun:
    """Drives the cells of one trial below `name`; `watch` hears the reports of every inner stage."""

    def __init__(self, shop: Shop, search: Search, name: str, plan: Plan, watch: Watch) -> None:
        self._shop = shop
        self._search = search
        self._name = name
        self._plan = plan
        self._watch = watch
        self._gpu_seconds = 0.0
        self._running: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self.halt = Halt(shop.stopping)

    def run(self, *, forced: bool) -> Ran:
        """To the end, or to where the trial is halted; what is wrong with the run itself is raised."""
        shop = self._inner_shop(forced)
        driver = Driver(
            self._plan, Desk(shop.store, shop.emit, self._search.done), open_shop=lambda: shop,
            policy=Policy(force=frozenset({"all"} if forced else ())), stop=self.halt,
        )  # fmt: skip
        ledger = driver.run()
        if ledger.bug is not None:
            raise ledger.bug
        for error in ledger.errors.values():
            if isinstance(error, InfrastructureError | CorruptObject):
                raise error  # what is wrong with the run, or with what a trial reads of the cells outside
        return self._ran(ledger)

    def stop(self) -> None:
        """Halt, and let what runs know before it takes another step."""
        self.halt.set()
        for key in list(self._running.values()):
            self._shop.store.raise_flag(stop_flag(self._shop.run, key))

    def key_of(self, cell: str) -> str:
        """The key of a cell that runs."""
        return self._running.get(cell, "")

    def _ran(self, ledger: Ledger) -> Ran:
        done = {name: found for name in self._plan.cells if (found := ledger.manifests.get(name)) is not None}
        if self.halt.is_set() and len(done) < len(self._plan.cells):
            if self._shop.stopping():
                raise Stopped("asked to stop")
            return Ran(halted=True, gpu_seconds=self._gpu_seconds)
        return Ran(manifests=done, failure=_failure(ledger), lost=_loss(ledger), gpu_seconds=self._gpu_seconds)

    def _inner_shop(self, forced: bool) -> Shop:
        shop, below = self._shop, f"{self._name}/"
        return replace(
            shop,
            emit=self._emit,
            channel_for=lambda cell: _Watched(shop.channel_for(f"{below}{cell}"), cell, self._watch),
            stopping=self.halt.is_set,
            forces=lambda cell: forced,
            above=f"{shop.above}{below}",
        )

    def _emit(self, event: Event) -> None:
        """Tell an event of an inner cell by its whole name."""
        if isinstance(event, CellStarted):
            self._running[event.cell] = event.key
        if isinstance(event, CellFinished):
            self._running.pop(event.cell, None)
            self._count(event)
            if event.status is Status.CACHED and event.key:
                self._replay(event)
        if isinstance(event, RunStarted | RunFinished):
            raise TypeError("a trial is no run")
        self._shop.emit(replace(event, cell=f"{self._name}/{event.cell}"))

    def _count(self, event: CellFinished) -> None:
        cell = self._plan.cells.get(event.cell)
        if cell is not None and event.status is not Status.CACHED:
            self._gpu_seconds += event.seconds * gpus_of(cell)

    def _replay(self, event: CellFinished) -> None:
        """A result that was there reports what it reported when it was made."""
        manifest = self._shop.store.manifest(event.key)
        reports = manifest.series.get("reports") if manifest else None
        for report in reports if isinstance(reports, list) else ():
            self._watch(event.cell, int(report["step"]), report["metrics"])


@dataclass(frozen=True, slots=True)
class _Watched:
    """A channel whose reports somebody else hears first: a trial may be over with one."""

    channel: Channel
    cell: str
    watch: Watch

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.channel.report(step, metrics)
        self.watch(self.cell, step, metrics)

    def progress(self, done: int, total: int, shares: Mapping[str, float] = NOTHING) -> None:
        self.channel.progress(done, total, shares)

    def log(self, text: str) -> None:
        self.channel.log(text)


def trial_name(sweep: Cell, trial: Trial) -> str:
    """What a trial is called where it is told of, and below which its cells are."""
    return f"{sweep.address}/{trial.number}"


def gpus_of(cell: Cell) -> float:
    """The GPUs that a cell holds while it runs."""
    return (
        0.0 if cell.component.shape is Shape.SWEEP else cell.resources.gpus * world_size(cell.component, cell.resources)
    )


def _loss(ledger: Ledger) -> StageFailed | None:
    errors = (error for error in ledger.errors.values() if isinstance(error, StageFailed))
    return next((error for error in errors if error.error_class in LOSSES), None)


def _failure(ledger: Ledger) -> str:
    """Why there is no result, in a line; nothing where there is one."""
    for address, error in ledger.errors.items():
        text = error.message if isinstance(error, AdvorchError) else str(error)
        return f"{address}: {text}"
    return ""
