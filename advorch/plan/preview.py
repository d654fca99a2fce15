"""What a run would do, cell by cell, without doing it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from advorch.plan.cells import Cell, Settled, Skipped
from advorch.plan.explain import Difference, History
from advorch.plan.plan import Plan
from advorch.plan.sweep import Search
from advorch.store.api import Store
from advorch.store.manifest import Manifest

SHOWN = 3


class State(StrEnum):
    """What would become of a cell."""

    CACHED = "cached"
    RUN = "run"
    DEFERRED = "deferred"
    SKIPPED = "skipped"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell of a preview; a deferred cell has no key yet, and may turn out to be cached."""

    cell: str
    stage: str
    component: str
    state: State
    reason: str = ""
    key: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def is_work(self) -> bool:
        """Whether a run would have something to do."""
        return self.state in (State.RUN, State.DEFERRED, State.ABSENT)


def preview(plan: Plan, store: Store, force: Collection[str] = ()) -> list[Row]:
    """A row a cell, in the order of the plan; `force` names stages and cells, or `all`."""
    return _Preview(plan, store, frozenset(force)).rows()


class _Preview:
    def __init__(self, plan: Plan, store: Store, force: frozenset[str]) -> None:
        self._plan = plan
        self._store = store
        self._force = force
        self._done: dict[str, Manifest | None] = {}
        self._open: set[str] = set()
        self._place = {address: index for index, address in enumerate(plan.cells)}
        self._history: History | None = None

    def rows(self) -> list[Row]:
        return [self._row(cell) for cell in self._plan.cells.values()]

    def _row(self, cell: Cell) -> Row:
        blockers = self._open & (cell.after | cell.optional_after)
        if blockers:
            waits_for = sorted(blockers, key=self._place.__getitem__)
            self._open.add(cell.address)
            return _row(cell, State.DEFERRED, f"key known after {_some(waits_for)}")
        settled = self._plan.settle(cell.address, self._done)
        if isinstance(settled, Skipped):
            self._done[cell.address] = None
            return _row(cell, State.SKIPPED, settled.reason)
        return self._settled(settled)

    def _settled(self, settled: Settled) -> Row:
        cell = settled.cell
        forced = bool({cell.stage, cell.address, "all"} & self._force)
        manifest = None if forced else self._store.manifest(settled.key)
        if manifest:
            self._done[cell.address] = manifest
            return _row(cell, State.CACHED, "", settled.key)
        if cell.address in self._plan.reuse:
            self._done[cell.address] = None
            return _row(cell, State.ABSENT, "not computed yet, and the selection leaves it out", settled.key)
        self._open.add(cell.address)
        return self._work(settled, forced)

    def _work(self, settled: Settled, forced: bool) -> Row:
        size = f"{_size(settled.search)}; " if settled.search else ""
        if forced:
            return _row(settled.cell, State.RUN, f"{size}forced", settled.key)
        found = tuple(self._known().differences(settled))
        reason = _some([str(item) for item in found], "; ") or "never computed"
        return _row(settled.cell, State.RUN, f"{size}{reason}", settled.key, found)

    def _known(self) -> History:
        """The store's manifests, read only if something is to be compared with them."""
        if self._history is None:
            self._history = History(self._store.manifests())
        return self._history


def _size(search: Search) -> str:
    """How much work a sweep is at most."""
    budget, tuning = search.sweep.tuning.budget, search.sweep.tuning
    trials = f"{budget.trials} trials" if budget.trials else "trials"
    hours = f", {budget.gpu_hours:g} GPU hours" if budget.gpu_hours else ""
    wall = f", {budget.wall:g} s" if budget.wall else ""
    refits = f", then {tuning.refit.seeds} refits" if tuning.refit else ""
    cells = len(search.cells)
    return f"{trials} of {cells} cell{'' if cells == 1 else 's'}{wall}{hours}{refits}"


def _some(items: Sequence[str], between: str = ", ") -> str:
    """As many as one line of a table bears."""
    more = [f"and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return between.join([*items[:SHOWN], *more])


def _row(cell: Cell, state: State, reason: str, key: str = "", differences: tuple[Difference, ...] = ()) -> Row:
    return Row(
        cell=cell.address,
        stage=cell.stage,
        component=cell.component.id,
        state=state,
        reason=reason,
        key=key,
        differences=differences,
    )
