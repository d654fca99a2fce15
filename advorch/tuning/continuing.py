"""A trial of a population that goes on from another's checkpoint with other values."""

import logging

from advorch.engine.scratch import scratch
from advorch.errors import CorruptObject
from advorch.plan.plan import Continuation, Plan
from advorch.plan.sweep import Search, Sweep
from advorch.store.api import Store
from advorch.tuning.book import Trial

log = logging.getLogger(__name__)


def watched(sweep: Sweep) -> tuple[str, str]:
    """The inner stage that the scheduler looks at, and its metric."""
    scheduler, objectives = sweep.tuning.scheduler, sweep.tuning.objectives
    return sweep.stage_of(scheduler.metric if scheduler and scheduler.metric else objectives[0].metric)


def continue_trial(plan: Plan, trial: Trial, search: Search, store: Store) -> None:
    """Let the trial's training begin where its source was; one that descends from nobody begins by itself."""
    if not trial.origin:
        return
    stage, _ = watched(search.sweep)
    source = trial.source
    plan.continue_at(stage, Continuation(origin=trial.origin, begin=lambda key: copy_checkpoint(store, source, key)))


def copy_checkpoint(store: Store, source: str, key: str) -> None:
    """Lay the newest checkpoint of one key under another, unless something is there: then it has begun before."""
    if store.manifest(key) is not None or store.partials(key).names():
        return
    partials = store.partials(source)
    with scratch() as folder:
        for name in reversed(partials.names()):
            try:
                meta = partials.fetch(name, folder / name)
            except CorruptObject as error:
                log.warning("checkpoint %s is damaged and passed over: %s", name, error)
                continue
            files = {
                str(path.relative_to(folder / name)): path
                for path in sorted((folder / name).rglob("*"))
                if path.is_file()
            }
            store.partials(key).commit(name, files, meta)
            return
    log.warning("%s has no checkpoint any more: the trial begins anew with its new values", source[:12])
