"""The scheduler: one thread a running cell, cached cells on the way, the journal told of every change."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from advorch.components import Shape
from advorch.engine.cell import Shop
from advorch.engine.frontier import Frontier
from advorch.engine.ledger import Ledger
from advorch.engine.mending import mended
from advorch.engine.ready import Line, Ready, Request
from advorch.engine.slots import GANG, TURNS
from advorch.engine.task import stop_flag
from advorch.errors import InfrastructureError, InvalidPipeline, Stopped, UsageError
from advorch.events import CellWaiting, Event, Status
from advorch.plan.cells import Cell, Settled, Skipped, world_size
from advorch.plan.plan import Plan
from advorch.store.api import Store
from advorch.store.manifest import Manifest

THREADS = 256  # cells of one driver at a time; what they hold is counted elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a run is to be driven."""

    jobs: int | None = None
    keep_going: bool = False
    force: frozenset[str] = frozenset()
    deadline: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    def forces(self, cell: Cell) -> bool:
        """Whether the cell is computed although its manifest is there."""
        return bool({cell.stage, cell.address, "all"} & self.force)


@dataclass(frozen=True, slots=True)
class _Return:
    """A cell thread's last word: a manifest and whether it was computed here, or an error."""

    settled: Settled
    manifest: Manifest | None
    computed: bool
    error: BaseException | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to look a key up, before any back end is started; `done` is what cells outside a sweep came to."""

    store: Store
    emit: Callable[[Event], None]
    done: Mapping[str, Manifest | None] = field(default_factory=dict)


class Driver:
    """Walks one plan; `open_shop` starts the back end, for the first cell that misses the cache."""

    def __init__(
        self, plan: Plan, desk: Desk, *, open_shop: Callable[[], Shop], policy: Policy, stop: threading.Event
    ) -> None:
        self._plan = plan
        self._store = desk.store
        self._emit = desk.emit
        self._open_shop = open_shop
        self._shop: Shop | None = None
        self._policy = policy
        self._stop = stop
        self._frontier = Frontier(plan.cells)
        self.ledger = Ledger(
            emit=desk.emit, on_end=self._frontier.ended, keep_going=policy.keep_going, manifests=dict(desk.done)
        )
        self.late = False
        self._ready = Ready()
        self._settled: dict[str, Settled] = {}
        self._running: dict[str, tuple[Settled, Request]] = {}
        self._returns: queue.SimpleQueue[_Return] = queue.SimpleQueue()
        self._told_waiting: set[str] = set()
        self._asked_to_stop: set[str] = set()
        self._halted = False
        self._started = time.monotonic()

    def run(self) -> Ledger:
        """Until every cell has ended, or nothing more may start and all that ran has returned."""
        with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="cell") as pool:
            try:
                while self._advance(pool):
                    pass
            except BaseException:
                self._stop.set()
                self._ask_to_stop()  # or the pool would wait for work that nobody can end any more
                raise
        for cell in [*self._frontier.untouched(), *(settled.cell for settled in self._ready)]:
            self.ledger.ended(cell, Status.STOPPED if self._stop.is_set() else Status.SKIPPED, "not started")
        return self.ledger

    def _advance(self, pool: ThreadPoolExecutor) -> bool:
        self._watch()
        if not self._halted:
            self._settle_open()
            self._start_ready(pool)
        if self._running:
            with contextlib.suppress(queue.Empty):
                self._take(self._returns.get(timeout=0.1))
            return True
        if self._halted or not (self._ready or self._frontier):
            return False
        if self._ready:  # others hold the room: another driver of this run, or equal cells of one
            self._opened().slots.wait(0.1)
        return True

    def _watch(self) -> None:
        deadline = self._policy.deadline
        if deadline is not None and time.monotonic() - self._started > deadline and not self._stop.is_set():
            self.late = True
            self._stop.set()
        if self._stop.is_set():
            self._halted = True
            self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        for address, (settled, _) in self._running.items():
            if address not in self._asked_to_stop:
                self._asked_to_stop.add(address)
                self._store.raise_flag(stop_flag(self._opened().run, settled.key))

    def _settle_open(self) -> None:
        while self._frontier and not self._stop.is_set() and not self._halted:
            for cell in self._frontier.take_open():
                self._settle(cell)

    def _settle(self, cell: Cell) -> None:
        try:
            settled = self._plan.settle(cell.address, self.ledger.manifests)
        except InvalidPipeline as error:
            self._fail(cell, error)
            return
        if isinstance(settled, Skipped):
            self.ledger.ended(cell, Status.SKIPPED, settled.reason)
            return
        self._settled[cell.address] = settled
        forced = self._policy.forces(cell) and cell.address not in self._plan.reuse
        manifest = None if forced else self._store.manifest(settled.key)
        if manifest is not None:
            self.ledger.succeeded(settled, manifest, Status.CACHED)
        elif cell.address in self._plan.reuse:
            self._do_without(cell)
        else:
            self._ready.add(settled, request_of(cell))

    def _do_without(self, cell: Cell) -> None:
        """A cell outside the selection is not cached: a fan-in can do without it, anything else cannot."""
        message = f"{cell.address} lies outside the selection and is not cached"
        if any(cell.address in other.after for other in self._plan.cells.values()):
            self._fail(cell, UsageError(message, hint="run it too, or widen the selection"))
        else:
            self.ledger.ended(cell, Status.SKIPPED, message)

    def _start_ready(self, pool: ThreadPoolExecutor) -> None:
        for line, settled in self._ready.in_turn():
            if self._halted:
                return
            if settled.key not in self._opened().underway:  # else an equal cell's manifest will serve both
                self._try_start(pool, line, settled)

    def _opened(self) -> Shop:
        if self._shop is None:
            self._shop = self._open_shop()
            self._warn_early()
        return self._shop

    def _warn_early(self) -> None:
        """What can never start here is told before hours are spent on what comes before it."""
        for address in self._plan.cells:
            if address in self.ledger.statuses:
                continue
            for cell in self._plan.inside(address):
                if never := self._opened().slots.never(request_of(cell)):
                    inner = f"{cell.address} inside it" if cell.address != address else "it"
                    reason = f"cannot run here unless its result is found: {inner} needs {never}"
                    self._emit(CellWaiting(cell=address, reason=reason))

    def _try_start(self, pool: ThreadPoolExecutor, line: Line, settled: Settled) -> None:
        cell, request, slots = settled.cell, line.request, self._opened().slots
        if never := slots.never(request):
            self._ready.remove(settled)
            hint = "lower `resources:` or `limits:`, or give the cluster more"
            self._fail(cell, InfrastructureError(f"{cell.address} can never start: it needs {never}", hint=hint))
        elif not self._opened().underway.begin(settled.key):
            return  # another driver of this run has just begun an equal cell
        elif slots.take(request):
            self._ready.remove(settled)
            self._running[cell.address] = (settled, request)
            pool.submit(self._work, settled)
        else:
            self._opened().underway.end(settled.key)
            line.refused = True
            slots.wish(request, len(line.cells))
            self._tell_waiting(line)

    def _tell_waiting(self, line: Line) -> None:
        lacking = self._opened().slots.lacking(line.request)
        for settled in line.newcomers() if lacking else ():
            if settled.cell.address not in self._told_waiting and settled.key not in self._opened().underway:
                self._told_waiting.add(settled.cell.address)
                self._emit(CellWaiting(cell=settled.cell.address, reason=f"waits for {lacking}"))

    def _work(self, settled: Settled) -> None:
        started = time.monotonic()
        manifest, computed, failure = None, False, None
        try:
            manifest, computed = mended(self._opened(), settled, self._settled)
        except BaseException as error:  # noqa: BLE001  a thread's error is for the main thread to judge
            failure = error
        self._returns.put(_Return(settled, manifest, computed, failure, time.monotonic() - started))

    def _take(self, returned: _Return) -> None:
        settled = returned.settled
        _, request = self._running.pop(settled.cell.address)
        self._opened().underway.end(settled.key)
        self._opened().slots.give(request)
        if returned.manifest is not None:
            status = Status.DONE if returned.computed else Status.CACHED
            self.ledger.succeeded(settled, returned.manifest, status, returned.seconds)
            self._serve_equals(settled.key, returned.manifest)
        elif isinstance(returned.error, Stopped):
            self._store.clear_flags(stop_flag(self._opened().run, settled.key))  # a trial that paused may go on
            self.ledger.ended(settled.cell, Status.STOPPED, str(returned.error), returned.seconds)
        elif returned.error is not None:
            self._fail(settled.cell, returned.error, settled.key, returned.seconds)

    def _serve_equals(self, key: str, manifest: Manifest) -> None:
        for settled in self._ready.equal(key):
            self._ready.remove(settled)
            self.ledger.succeeded(settled, manifest, Status.CACHED)

    def _fail(self, cell: Cell, error: BaseException, key: str = "", seconds: float = 0.0) -> None:
        if self.ledger.failed(cell, error, key, seconds):
            self._halted = True


def request_of(cell: Cell) -> dict[str, float]:
    """What a cell holds while it runs: a gang all its workers, a sweep nothing, anything else one; and its limits."""
    if cell.component.shape is Shape.SWEEP:
        return {}
    workers = world_size(cell.component, cell.resources)
    each = {"cpu": cell.resources.cpus, "gpu": cell.resources.gpus, "memory": float(cell.resources.memory)}
    whole = {
        TURNS: 1.0,
        GANG: float(workers),
        **{name: amount * workers for name, amount in each.items()},
        **cell.limits,
    }
    return {name: amount for name, amount in whole.items() if amount}
