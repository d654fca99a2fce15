"""From a plan, or from a run that was, to its sweeps as they stand."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from advorch.canonical import Json
from advorch.errors import UsageError
from advorch.plan.cells import Cell, Settled, Skipped
from advorch.plan.plan import Plan
from advorch.plan.scope import Scope
from advorch.plan.sweep import Sweep as SweepComponent
from advorch.plan.sweep_keys import search_key
from advorch.session.sweeps import Sweep
from advorch.spec.suggest import hint
from advorch.spec.tuning import Budget, Dimension, Objective, Tuning
from advorch.store.api import Store
from advorch.store.manifest import Manifest
from advorch.store.opening import open_store
from advorch.tracking.addresses import TRIAL
from advorch.tracking.liveness import Life, life
from advorch.tracking.runs import CellRecord, RunRecord, load_run
from advorch.tracking.searches import objectives
from advorch.tuning.book import Trial
from advorch.tuning.reading import trials_of


def sweeps_of_plan(plan: Plan, store: Store, runs: Path) -> dict[str, Sweep]:
    """Every sweep of a plan by its cell, as far as what it reads is done."""
    found: dict[str, Sweep] = {}
    live = _live(runs)
    for cell, settled, awaited in _settled(plan, store):
        if not isinstance(cell.component, SweepComponent):
            continue
        tuning = cell.component.tuning
        if settled is None or settled.search is None:
            found[cell.address] = Sweep(cell=cell.address, stage=cell.stage, tuning=tuning, awaited=awaited)
            continue
        search = settled.search
        found[cell.address] = Sweep(
            cell=cell.address,
            stage=cell.stage,
            tuning=tuning,
            key=search.key,
            trials=_numbered(trials_of(store, search.key, tuning, settled.seed, Scope(cell.component.values))),
            pin=search.pin,
            result=store.manifest(settled.key),
            run=live.get(search.key, ""),
            planner=search.planner,
        )
    return found


def sweeps_of_run(record: RunRecord) -> dict[str, Sweep]:
    """The sweeps of a run by their cells; their trials are those of the search, whichever run made them."""
    store = open_store(record.storage)
    cells = [cell for cell in record.own.values() if objectives(cell.params)]
    return {cell.cell: _of_run(record, cell, store) for cell in cells}


def choose(sweeps: Mapping[str, Sweep], name: str, *, among: str) -> list[Sweep]:
    """The sweeps that a stage or cell names, or all of the only stage that has some; never none."""
    if not sweeps:
        raise UsageError(f"{among} has no sweep", hint="a stage with `tune:` is one: see docs/sweeps.md")
    stages = list(dict.fromkeys(sweep.stage for sweep in sweeps.values()))
    if not name and len(stages) > 1:
        raise UsageError(f"{among} has {len(stages)} sweeps", hint=f"name one: {', '.join(stages)}")
    named = [sweep for sweep in sweeps.values() if name in ("", sweep.stage, sweep.cell)]
    if not named:
        known = list(dict.fromkeys([*stages, *sweeps]))
        raise UsageError(f"{among} has no sweep '{name}'", hint=hint(name, known) or f"sweeps: {', '.join(known)}")
    return named


def choose_one(sweeps: Mapping[str, Sweep], name: str, *, among: str) -> Sweep:
    """The one sweep that is meant; of a matrix a cell has to be named."""
    found = choose(sweeps, name, among=among)
    if len(found) > 1:
        cells = ", ".join(f"'{sweep.cell}'" for sweep in found)
        raise UsageError(f"'{found[0].stage}' is {len(found)} sweeps", hint=f"name one: {cells}")
    return found[0]


def _numbered(trials: Sequence[Trial]) -> dict[int, Trial]:
    return {trial.number: trial for trial in trials}


def _settled(plan: Plan, store: Store) -> Iterator[tuple[Cell, Settled | None, tuple[str, ...]]]:
    """Each cell as far as it is decided before a run, and what it waits for."""
    done: dict[str, Manifest | None] = {}
    absent: set[str] = set()
    for cell in plan.cells.values():
        awaited = sorted(absent & (cell.after | cell.optional_after))
        settled = None if awaited else plan.settle(cell.address, done)
        if isinstance(settled, Skipped):
            done[cell.address] = None
            yield cell, None, (settled.reason,)
            continue
        manifest = store.manifest(settled.key) if settled else None
        if manifest is None:
            absent.add(cell.address)
        else:
            done[cell.address] = manifest
        yield cell, settled, tuple(awaited)


def _live(runs: Path) -> dict[str, str]:
    """The searches that are going on, each with its run."""
    alive = [folder for folder in runs.iterdir() if life(folder) is Life.ALIVE] if runs.is_dir() else []
    records = [load_run(folder) for folder in alive]
    return {
        cell.key: record.run
        for record in records
        if record.exit_code is None
        for cell in record.cells.values()
        if cell.component == TRIAL
    }


def _of_run(record: RunRecord, cell: CellRecord, store: Store) -> Sweep:
    result = store.manifest(cell.key) if cell.key else None
    tuning = tuning_of(cell.params)
    began = next((trial.key for trial in record.trials(cell.cell)), "")
    key = began or (search_key(result.parts) if result else "")
    live = record.run if record.life is Life.ALIVE and record.exit_code is None else ""
    return Sweep(
        cell=cell.cell,
        stage=cell.stage,
        tuning=tuning,
        key=key,
        trials=_numbered(trials_of(store, key, tuning)) if key else {},
        pin=_pin(result),
        result=result,
        run=live,
        awaited=() if key else ("a run",),
    )


def _pin(result: Manifest | None) -> int | None:
    found = result.parts.get("pin") if result else None
    return found if isinstance(found, int) else None


def tuning_of(params: Mapping[str, Json]) -> Tuning:
    """A search as the record of a run has it: enough to read its trials, not to go on with it."""
    space = params.get("space")
    budget = {name: params[name] for name in ("trials", "wall", "gpu_hours") if name in params}
    select = str(params.get("promote", "best"))
    return Tuning(
        space=tuple(_dimension(name, written) for name, written in space.items()) if isinstance(space, Mapping) else (),
        objectives=tuple(Objective(metric=metric, goal=goal) for metric, goal in objectives(params)),  # type: ignore[arg-type]
        budget=Budget(**budget),  # type: ignore[arg-type]
        select="top_k" if select.startswith("top ") else select,
        winners=int(select.partition(" ")[2] or 1),
    )


def _dimension(name: str, written: Json) -> Dimension:
    kind, values = next(iter(written.items())) if isinstance(written, Mapping) else ("const", [written])
    return Dimension(name=name, kind=kind, values=tuple(values) if isinstance(values, Sequence) else (values,))
