"""A search from its first trial to its last: asks, drives trials side by side, and writes down what they come to."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from advorch.engine.cell import CellControl, Shop
from advorch.errors import ErrorClass, InvalidPipeline, StageFailed, Stopped
from advorch.events import CellFinished, CellReported, CellStarted, Status
from advorch.plan.cells import Settled
from advorch.plan.sweep import Search
from advorch.tracking.addresses import TRIAL
from advorch.tuning.book import Book, Trial, outcome_of
from advorch.tuning.continuing import continue_trial, watched
from advorch.tuning.journal import Ended
from advorch.tuning.promotion import Judge
from advorch.tuning.search import Outcome, TrialState
from advorch.tuning.spending import Spending
from advorch.tuning.stopping import Verdict
from advorch.tuning.trial import Ran, TrialRun, trial_name

LOSSES_A_TRIAL = 3
HOPELESS = 10  # trials that fail before one succeeds: then it is the stage that is at fault, not the values

_STATUS = {TrialState.DONE: Status.DONE, TrialState.PRUNED: Status.PRUNED, TrialState.FAILED: Status.FAILED}


class SweepRun:
    """The coordinator of one sweep: holds nothing of the cluster, and decides everything under one lock."""

    def __init__(self, shop: Shop, settled: Settled, search: Search, book: Book, judge: Judge) -> None:
        self._shop = shop
        self._cell = settled.cell
        self._search = search
        self._book = book
        self._judge = judge
        self._changed = threading.Condition()
        self._running: dict[int, TrialRun] = {}
        self._error: BaseException | None = None
        self._exhausted = False
        self._losses: Counter[int] = Counter()
        self._seconds: defaultdict[int, float] = defaultdict(float)  # of all legs: a trial may be paused
        self._gpu_seconds: defaultdict[int, float] = defaultdict(float)
        self._spending = Spending(search.sweep.tuning.budget, book)

    def run(self, control: CellControl, concurrency: int) -> None:
        """Until the budget is spent or the space exhausted; every end is in the journal by then."""
        self._tell_known()
        self._spending.begin()
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="trial") as pool:
            try:
                while self._advance(pool, control, concurrency):
                    pass
            except BaseException:
                self._halt_all()
                raise

    def _advance(self, pool: ThreadPoolExecutor, control: CellControl, concurrency: int) -> bool:
        with self._changed:
            if self._error is not None:
                raise self._error
            if control.stopping():
                raise Stopped("asked to stop")
            if control.overdue():
                raise StageFailed(f"ran longer than its {control.task.seconds:g} s", error_class=ErrorClass.TIMEOUT)
            self._check_hope()
            while len(self._running) < concurrency and (trial := self._next()):
                self._start(pool, trial)
            if not self._running:
                return False
            self._changed.wait(0.5)
        return True

    def _next(self) -> Trial | None:
        """One that was begun before, one that may go on after a pause, or a new one."""
        freed = self._book.freed()
        for trial in self._book.trials.values():
            if trial.end or trial.number in self._running or not self._spending.has(trial.number):
                continue
            if trial.verdict is Verdict.STOP:
                self._end(trial, self._ended(trial, Ran(halted=True)))
            elif trial.verdict is not Verdict.PAUSE or trial.number in freed:
                return trial
        return self._asked()

    def _asked(self) -> Trial | None:
        if not self._exhausted and self._spending.allows_another():
            trial = self._book.ask()
            if trial is not None:
                return trial
        self._exhausted = True
        if not self._running:
            self._book.close()
            return self._next() if any(self._is_waiting(trial) for trial in self._book.trials.values()) else None
        return None

    def _is_waiting(self, trial: Trial) -> bool:
        return trial.end is None and trial.number not in self._running and trial.verdict is not Verdict.PAUSE

    def _name(self, trial: Trial) -> str:
        return trial_name(self._cell, trial)

    def _start(self, pool: ThreadPoolExecutor, trial: Trial) -> None:
        name = self._name(trial)
        self._shop.emit(
            CellStarted(cell=name, stage=self._cell.stage, component=TRIAL, key=self._search.key, params=trial.values)
        )
        try:
            plan = self._search.planner.plan(trial.values)
        except InvalidPipeline as error:
            self._end(trial, self._ended(trial, Ran(failure=error.problems[0].message)))
            return
        continue_trial(plan, trial, self._search, self._shop.store)
        run = TrialRun(
            self._shop, self._search, name, plan,
            lambda cell, step, metrics: self._reported(trial, cell, step, metrics),
        )  # fmt: skip
        self._running[trial.number] = run
        pool.submit(self._work, trial, run)

    def _work(self, trial: Trial, run: TrialRun) -> None:
        started = time.monotonic()
        ran, failure = None, None
        try:
            ran = run.run(forced=self._shop.forces(self._cell) and self._is_fresh(trial))
        except BaseException as error:  # noqa: BLE001  a thread's error is for the coordinator to raise
            failure = error
        with self._changed:
            del self._running[trial.number]
            try:
                if ran is not None:
                    self._came_back(trial, ran, time.monotonic() - started)
            except BaseException as error:  # noqa: BLE001  as above: what cannot be written down ends the search
                failure = error
            self._error = self._error or failure
            self._changed.notify_all()

    def _is_fresh(self, trial: Trial) -> bool:
        """Whether the trial has not been driven yet: one that goes on has checkpoints that are its own."""
        return not trial.reports and not self._losses[trial.number] and not trial.origin

    def _came_back(self, trial: Trial, ran: Ran, seconds: float) -> None:
        """Over, or to be driven again: after a pause, with the values of another, or because its worker was lost."""
        self._seconds[trial.number] += seconds
        self._gpu_seconds[trial.number] += ran.gpu_seconds
        if ran.lost:
            self._losses[trial.number] += 1
            if self._losses[trial.number] > LOSSES_A_TRIAL:
                self._error = self._error or ran.lost
        elif not ran.halted or trial.verdict is Verdict.STOP:
            self._end(trial, self._ended(trial, ran))

    def _reported(self, trial: Trial, cell: str, step: int, metrics: Mapping[str, float]) -> None:
        """An inner stage has done a step: where the scheduler looks at it, the trial may be over with it."""
        if not self._search.sweep.tuning.scheduler:
            return
        stage, metric = watched(self._search.sweep)
        if cell != stage or metric not in metrics:
            return
        with self._changed:
            run = self._running.get(trial.number)
            key = run.key_of(cell) if run else ""
            verdict = self._book.report(trial.number, step, metrics[metric], key)
        self._shop.emit(CellReported(cell=self._name(trial), step=step, metrics={metric: metrics[metric]}))
        if verdict is not Verdict.GO and run is not None:
            run.stop()

    def _ended(self, trial: Trial, ran: Ran) -> Ended:
        measured = self._judge.measured(ran.manifests)
        failure = ran.failure or self._lacking(ran)
        if ran.halted:
            outcome = outcome_of(trial, TrialState.PRUNED)
        elif failure:
            outcome = outcome_of(trial, TrialState.FAILED)
        else:
            outcome = Outcome(
                state=TrialState.DONE,
                objectives=self._judge.objectives(measured),
                violations=self._judge.violations(measured, trial.values),
                reports=tuple(trial.reports),
            )
        return Ended(
            number=trial.number, outcome=outcome, metrics=measured,
            seconds=self._seconds[trial.number], gpu_seconds=self._gpu_seconds[trial.number],
            elapsed=self._spending.elapsed, message="" if ran.halted else failure or self._broken(outcome),
        )  # fmt: skip

    def _lacking(self, ran: Ran) -> str:
        """Why a trial whose cells are all well has nothing to hand on; nothing where it has."""
        lacking = [cell for cell, _ in self._search.sweep.results.values() if cell not in ran.manifests]
        return f"{lacking[0]} did not run, and the sweep hands on what it makes" if lacking and not ran.halted else ""

    def _broken(self, outcome: Outcome) -> str:
        """Which constraints a trial does not keep; nothing where it keeps all."""
        constraints = self._search.sweep.tuning.constraints
        pairs = zip(constraints, outcome.violations, strict=False)
        broken = [constraint.text for constraint, violation in pairs if violation > 0]
        return f"does not keep {', '.join(broken)}" if broken else ""

    def _end(self, trial: Trial, end: Ended) -> None:
        self._book.end(end)
        self._tell_end(trial, end, _STATUS[end.outcome.state])

    def _tell_end(self, trial: Trial, end: Ended, status: Status) -> None:
        self._shop.emit(
            CellFinished(
                cell=self._name(trial),
                stage=self._cell.stage,
                component=TRIAL,
                status=status,
                key=self._search.key,
                metrics=end.metrics,
                message=end.message,
                seconds=end.seconds,
                params=trial.values,
            )
        )

    def _tell_known(self) -> None:
        """The trials of earlier runs are part of this one."""
        for trial in self._book.finished:
            if trial.end:
                done = trial.end.outcome.state is TrialState.DONE
                self._tell_end(trial, trial.end, Status.CACHED if done else _STATUS[trial.end.outcome.state])

    def _check_hope(self) -> None:
        ends = [trial.end for trial in self._book.finished if trial.end]
        states = {end.outcome.state for end in ends}
        if states == {TrialState.FAILED} and len(ends) >= HOPELESS:
            raise all_failed(ends)

    def _halt_all(self) -> None:
        for run in list(self._running.values()):
            run.stop()


def all_failed(ends: list[Ended]) -> StageFailed:
    """No trial succeeded: the most frequent reasons."""
    counts = Counter(end.message or "nothing was measured" for end in ends)
    reasons = "; ".join(f"{count} x {text}" for text, count in counts.most_common(3))
    hint = "where the cause is gone, begin the search anew: advorch pipeline run FILE --force STAGE"
    return StageFailed(f"none of {len(ends)} trials succeeded: {reasons}", error_class=ErrorClass.USER, hint=hint)
