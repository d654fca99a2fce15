"""From the words of the file to a searcher, and what must be refused before anything runs."""

import importlib.util
from collections.abc import Callable, Mapping
from types import MappingProxyType

from advorch.errors import InfrastructureError, InvalidPipeline, Problem
from advorch.spec.codes import Code
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Tuning
from advorch.tuning.draws import Span, coordinate
from advorch.tuning.grid import Grid
from advorch.tuning.optuna_search import OptunaSearch
from advorch.tuning.random_search import RandomSearch
from advorch.tuning.search import Searcher


def open_searcher(tuning: Tuning, seed: int, lookup: Lookup) -> Searcher:
    """A searcher that has not been asked yet; raises what `search_faults` and `missing_package` say."""
    if faults := search_faults(tuning):
        raise InvalidPipeline(faults)
    if package := missing_package(tuning):
        message = f"the search algorithm '{tuning.search.algorithm}' needs the package '{package}', which is not here"
        raise InfrastructureError(message, hint=f"pip install {package}, or algorithm: tpe")
    match tuning.search.algorithm:
        case "grid":
            return Grid(tuning.space, lookup)
        case "random":
            return RandomSearch(tuning.space, seed, lookup)
        case _:
            return OptunaSearch(tuning, seed, lookup)


def missing_package(tuning: Tuning) -> str:
    """The package without which the algorithm cannot run here; empty if all is well."""
    needed = "cmaes" if tuning.search.algorithm == "cma-es" else ""
    return needed if needed and importlib.util.find_spec(needed) is None else ""


def search_faults(tuning: Tuning) -> list[Problem]:
    """What the algorithm cannot search; the file's own checks do not see it where an expression gave the algorithm."""
    check = _CHECKS.get(tuning.search.algorithm)
    return [Problem(code=Code.SEARCH.value, message=text, hint=hint) for text, hint in check(tuning)] if check else []


def _grid(tuning: Tuning) -> list[tuple[str, str]]:
    hint = "use grid, choice, int or quniform, or another search algorithm"
    endless = [item for item in tuning.space if isinstance(coordinate(item), Span)]
    return [(f"a grid search cannot walk through '{item.kind}' of '{item.name}'", hint) for item in endless]


def _cma(tuning: Tuning) -> list[tuple[str, str]]:
    faults = []
    if len(tuning.objectives) > 1:
        faults.append(("'cma-es' has one objective", "use tpe or nsga-ii"))
    if tuning.constraints:
        faults.append(("'cma-es' knows no constraints", "use tpe or nsga-ii"))
    return faults


_CHECKS: Mapping[str, Callable[[Tuning], list[tuple[str, str]]]] = MappingProxyType({"grid": _grid, "cma-es": _cma})
