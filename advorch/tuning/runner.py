"""Runs the cell of a sweep: the search, then its winner, whose outputs are the sweep's own."""

from dataclasses import replace

from advorch.components import Shape
from advorch.engine.cell import CellControl, Shop
from advorch.engine.driver import request_of
from advorch.engine.task import Produced, Report
from advorch.errors import ErrorClass, StageFailed
from advorch.plan.cells import Settled
from advorch.plan.scope import Scope
from advorch.plan.sweep import Search
from advorch.spec.tuning import Tuning
from advorch.tuning.book import Book
from advorch.tuning.journal import Journal
from advorch.tuning.opening import open_searcher
from advorch.tuning.promotion import Judge, chosen
from advorch.tuning.schedulers import open_stopping
from advorch.tuning.search import TrialState
from advorch.tuning.sweep import SweepRun, all_failed
from advorch.tuning.table import trials_output
from advorch.tuning.winning import Winning


def run_sweep(shop: Shop, settled: Settled, control: CellControl) -> Produced:
    """The winner's outputs and metrics, and the table of all trials."""
    search = settled.search
    if search is None:
        raise TypeError(f"{settled.cell.address} is no sweep")
    concurrency = _concurrency(shop, search)
    search = _with_concurrency(search, concurrency)
    with shop.store.claim(search.key, shop.owner, wait=shop.wait, stopping=control.stopping):
        journal = Journal(shop.store.partials(search.key))
        if shop.forces(settled.cell):
            journal.drop()
        return _searched(shop, settled, search, control, journal, concurrency)


def _searched(
    shop: Shop, settled: Settled, search: Search, control: CellControl, journal: Journal, concurrency: int
) -> Produced:
    sweep, tuning = search.sweep, search.sweep.tuning
    scope = Scope(sweep.values)
    stopping = open_stopping(tuning, settled.seed, scope)
    book = Book(journal, open_searcher(tuning, settled.seed, scope), stopping, tuning.budget.trials)
    book.open()
    judge = Judge(tuning, scope, sweep.name_of)
    SweepRun(shop, settled, search, book, judge).run(control, concurrency)
    best = chosen({trial.number: trial for trial in book.counted}, tuning, search.pin)
    if not best:
        raise _nobody(book)
    won = Winning(shop, settled.cell, search, judge, concurrency).promote([book.trials[number] for number in best])
    outputs = {**won.outputs, "trials": trials_output(shop.store, book, search, best)}
    metrics = {**won.metrics, **_summary(book, best[0])}
    return Produced(outputs=outputs, metrics=metrics, series=_progress(book, tuning))


def _concurrency(shop: Shop, search: Search) -> int:
    """As many trials at a time as the file says, or as fit: one trial holds what the widest of its cells does."""
    wanted = search.sweep.tuning.search.concurrency
    if wanted:
        return wanted
    return min(
        (shop.slots.room(request_of(cell)) for cell in search.cells if cell.component.shape is not Shape.SWEEP),
        default=1,
    )


def _with_concurrency(search: Search, concurrency: int) -> Search:
    tuning = search.sweep.tuning
    tuning = replace(tuning, search=replace(tuning.search, concurrency=concurrency))
    return replace(search, sweep=replace(search.sweep, tuning=tuning))


def _nobody(book: Book) -> StageFailed:
    ends = [trial.end for trial in book.counted if trial.end]
    failed = [end for end in ends if end.outcome.state is TrialState.FAILED]
    if len(failed) == len(ends) and ends:
        return all_failed(ends)
    stopped = sum(end.outcome.state is TrialState.PRUNED for end in ends)
    text = f"no winner among {len(ends)} trials: {len(failed)} failed, {stopped} were stopped early"
    hint = "and those that ended keep no constraint, or measured no number"
    return StageFailed(f"{text}, {hint}", error_class=ErrorClass.USER)


def _summary(book: Book, best: int) -> dict[str, float]:
    """How long the search was, and where its winner lies; numbers alone can be read as metrics."""
    values = {
        f"trial.{name}": float(value)
        for name, value in book.trials[best].values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {"trials": float(len(book.counted)), "best_trial": float(best), **values}


def _progress(book: Book, tuning: Tuning) -> tuple[Report, ...]:
    """The best so far after each trial that ended, for the first objective."""
    sign = 1.0 if tuning.objectives[0].goal == "maximize" else -1.0
    best, found = float("-inf"), []
    for trial in book.counted:
        outcome = trial.end.outcome if trial.end else None
        if outcome and outcome.objectives and all(violation <= 0 for violation in outcome.violations):
            best = max(best, sign * outcome.objectives[0]) if outcome.objectives[0] == outcome.objectives[0] else best
            if best > float("-inf"):
                found.append(Report(step=trial.number, metrics={tuning.objectives[0].metric: sign * best}))
    return tuple(found)
