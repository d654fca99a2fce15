"""What a sweep hands on: the artifacts of its winners, trained again under fresh seeds where that is asked for."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from statistics import fmean, stdev

from advorch.artifacts import Artifact
from advorch.engine.cell import Shop
from advorch.errors import ErrorClass, StageFailed, Stopped
from advorch.events import CellFinished, CellStarted, Status
from advorch.plan.cells import Cell
from advorch.plan.sweep import Search, port_of
from advorch.store.manifest import Manifest
from advorch.tracking.addresses import REFIT
from advorch.tuning.book import Trial
from advorch.tuning.continuing import continue_trial
from advorch.tuning.promotion import Judge, median
from advorch.tuning.trial import Ran, TrialRun, trial_name

Manifests = Mapping[str, Manifest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Won:
    """Outputs by port, and what the winner measured."""

    outputs: dict[str, Artifact]
    metrics: dict[str, float] = field(default_factory=dict)


class Winning:
    """Takes the winners of a search, best first."""

    def __init__(self, shop: Shop, cell: Cell, search: Search, judge: Judge, concurrency: int) -> None:
        self._shop = shop
        self._cell = cell
        self._search = search
        self._judge = judge
        self._concurrency = concurrency

    def promote(self, winners: Sequence[Trial]) -> Won:
        """The outputs of all winners, the best under the plain names; metrics are those of the best."""
        refit = self._search.sweep.tuning.refit
        ranked = enumerate(winners, start=1)
        taken = [self._refitted(rank, trial, refit.seeds) if refit else self._own(trial) for rank, trial in ranked]
        outputs: dict[str, Artifact] = {}
        for rank, (manifests, _) in enumerate(taken, start=1):
            for port, (cell, inner) in self._search.sweep.results.items():
                outputs[port_of(port, rank)] = manifests[cell].outputs[inner]
        return Won(outputs=outputs, metrics=taken[0][1])

    def _own(self, trial: Trial) -> tuple[Manifests, dict[str, float]]:
        """What the trial itself made, which is in the store."""
        ran = self._run(trial_name(self._cell, trial), trial, 0)
        return ran.manifests, self._judge.measured(ran.manifests)

    def _refitted(self, rank: int, trial: Trial, seeds: int) -> tuple[Manifests, dict[str, float]]:
        """The refit with the median objective; the metrics carry all seeds."""
        names = [f"{self._cell.address}/refit-{rank}-{seed}" for seed in range(1, seeds + 1)]
        with ThreadPoolExecutor(max_workers=self._concurrency, thread_name_prefix="refit") as pool:
            ran = list(pool.map(lambda pair: self._refit(pair[1], trial, pair[0]), enumerate(names, start=1)))
        measured = {seed: self._judge.measured(item.manifests) for seed, item in enumerate(ran, start=1)}
        objective = self._search.sweep.tuning.objectives[0]
        good = [seed for seed, found in measured.items() if not isnan(found.get(objective.metric, nan))]
        if not good:
            raise StageFailed(
                f"no refit of trial {trial.number} measured {objective.metric}", error_class=ErrorClass.USER
            )
        chosen = good[median([measured[seed][objective.metric] for seed in good], objective.goal)]
        return ran[chosen - 1].manifests, {**measured[chosen], **_over_seeds(measured, chosen)}

    def _refit(self, name: str, trial: Trial, refit: int) -> Ran:
        """One seed, told as a cell of its own with the cells inside it below."""
        stage, key = self._cell.stage, self._search.key
        self._shop.emit(CellStarted(cell=name, stage=stage, component=REFIT, key=key, params=trial.values))
        started, status = time.monotonic(), Status.FAILED
        metrics: dict[str, float] = {}
        try:
            ran = self._run(name, trial, refit)
            status, metrics = Status.DONE, self._judge.measured(ran.manifests)
        except Stopped:
            status = Status.STOPPED
            raise
        finally:
            end = CellFinished(
                cell=name, stage=stage, component=REFIT, key=key, status=status, metrics=metrics,
                seconds=time.monotonic() - started, params=trial.values,
            )  # fmt: skip
            self._shop.emit(end)
        return ran

    def _run(self, name: str, trial: Trial, refit: int) -> Ran:
        plan = self._search.planner.plan(trial.values, refit=refit)
        if not refit:
            continue_trial(plan, trial, self._search, self._shop.store)
        forced = bool(refit) and self._shop.forces(self._cell)
        ran = TrialRun(self._shop, self._search, name, plan, _nobody_listens).run(forced=forced)
        if ran.failure:
            raise StageFailed(f"{name} failed: {ran.failure}", error_class=ErrorClass.USER)
        return ran


def _over_seeds(measured: Mapping[int, Mapping[str, float]], chosen: int) -> dict[str, float]:
    """Each metric of each seed, their mean and their spread."""
    found = {f"refit.{seed}.{name}": value for seed, metrics in measured.items() for name, value in metrics.items()}
    for name in measured[chosen]:
        values = [metrics[name] for metrics in measured.values() if isfinite(metrics.get(name, nan))]
        if not values:
            continue
        found[f"refit.mean.{name}"] = fmean(values)
        if len(values) > 1:
            found[f"refit.deviation.{name}"] = stdev(values)
    return {**found, "refit.chosen": float(chosen)}


def _nobody_listens(cell: str, step: int, metrics: Mapping[str, float]) -> None:
    """A refit and a finished trial are never stopped early."""
