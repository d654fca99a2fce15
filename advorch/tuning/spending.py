"""What a search has used of its budget, over all the runs that it took."""

import time

from advorch.spec.tuning import Budget
from advorch.tuning.book import Book

_HOUR = 3600.0


class Spending:
    """Counts trials, seconds and GPU seconds; those of earlier runs stand in the journal."""

    def __init__(self, budget: Budget, book: Book) -> None:
        self._budget = budget
        self._book = book
        self._before = 0.0
        self._began = 0.0

    def begin(self) -> None:
        """The clock runs on from what earlier runs used."""
        self._before = max((trial.end.elapsed for trial in self._book.finished if trial.end), default=0.0)
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds that the search has run."""
        return self._before + time.monotonic() - self._began

    def has(self, number: int) -> bool:
        """Whether a trial belongs to a search of this length."""
        return self._budget.trials is None or number < self._budget.trials

    def allows_another(self) -> bool:
        """Whether a new trial may begin; one that runs may end beyond the budget, and counts."""
        budget, trials = self._budget, self._book.trials
        if not self.has(len(trials)):
            return False
        if budget.wall is not None and self.elapsed >= budget.wall:
            return False
        if budget.gpu_hours is None:
            return True
        return sum(trial.end.gpu_seconds for trial in trials.values() if trial.end) < budget.gpu_hours * _HOUR
