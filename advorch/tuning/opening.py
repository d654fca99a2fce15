"""From the words of the file to a searcher."""

from advorch.spec.expression import Lookup
from advorch.spec.tuning import Tuning
from advorch.tuning.grid import Grid
from advorch.tuning.optuna_search import OptunaSearch
from advorch.tuning.random_search import RandomSearch
from advorch.tuning.search import Searcher


def open_searcher(tuning: Tuning, seed: int, lookup: Lookup) -> Searcher:
    """A searcher that has not been asked yet."""
    match tuning.search.algorithm:
        case "grid":
            return Grid(tuning.space, lookup)
        case "random":
            return RandomSearch(tuning.space, seed, lookup)
        case _:
            return OptunaSearch(tuning, seed, lookup)
