"""What is known of a search, looked at from outside: nothing is asked, mended or written."""

from collections.abc import Mapping, Sequence

from advorch.canonical import Json
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Tuning
from advorch.store.api import Store
from advorch.tuning.book import Book, Trial
from advorch.tuning.journal import Asked, Journal, Record
from advorch.tuning.search import Outcome
from advorch.tuning.stopping import Stopping


class _Remembered:
    """Gives the values that were given, whatever a searcher would say today."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._left = iter([record.values for record in records if isinstance(record, Asked)])

    def ask(self) -> Mapping[str, Json] | None:
        return next(self._left, None)

    def tell(self, number: int, outcome: Outcome) -> None:
        """It learns nothing."""


class _Kept(Journal):
    """Records that were read already."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = list(records)

    def read(self) -> list[Record]:
        return self._records


def trials_of(store: Store, key: str, tuning: Tuning, seed: int = 0, lookup: Lookup | None = None) -> list[Trial]:
    """The trials of a search by number, those that run among them.

    Without `lookup`, which answers conditions of the space, members of a population have the values they began with.
    """
    records = Journal(store.partials(key)).look()
    book = Book(_Kept(records), _Remembered(records), _stopping(tuning, seed, lookup))
    book.open()
    return list(book.trials.values())


def _stopping(tuning: Tuning, seed: int, lookup: Lookup | None) -> Stopping | None:
    """Only a population's decisions change what a trial is made with."""
    if tuning.scheduler is None or tuning.scheduler.type != "pbt" or lookup is None:
        return None
    from advorch.tuning.schedulers import open_stopping

    return open_stopping(tuning, seed, lookup)
