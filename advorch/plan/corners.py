"""Values of a search space to try a plan with, before anything is drawn."""

import math
from collections.abc import Iterator, Mapping

from advorch.canonical import Json
from advorch.spec.expression import Expression, ExpressionError, Lookup
from advorch.spec.interpolate import AlreadyReported
from advorch.spec.tuning import Dimension

_SPREAD = 1.0  # deviations: a normal distribution has no ends


def corners(space: tuple[Dimension, ...], lookup: Lookup) -> Iterator[dict[str, Json]]:
    """The lowest values, the highest, the middle, and each further choice among the lowest of the others."""
    lowest = _drawn(space, {item.name: _ends(item)[0] for item in space}, lookup)
    seen = [lowest]
    yield lowest
    for changed in _others(space):
        values = _drawn(space, {**{item.name: _ends(item)[0] for item in space}, **changed}, lookup)
        if values not in seen:
            seen.append(values)
            yield values


def _others(space: tuple[Dimension, ...]) -> Iterator[dict[str, Json]]:
    yield {item.name: _ends(item)[1] for item in space}
    yield {item.name: _middle(item) for item in space}
    for item in space:
        if item.kind in ("choice", "grid"):
            yield from ({item.name: value} for value in item.values[1:])


def _middle(item: Dimension) -> Json:
    low, high = _ends(item)
    if (
        item.kind in ("choice", "grid", "const")
        or not isinstance(low, int | float)
        or not isinstance(high, int | float)
    ):
        return low
    if item.kind == "quniform":
        return _on_grid(item, (low + high) / 2)
    return (low + high) // 2 if item.kind in ("int", "logint") else (low + high) / 2


def _on_grid(item: Dimension, value: float) -> Json:
    """The last step that is not above a value."""
    low, _, step = item.values
    found: Json = low + math.floor((value - low) / step + 1e-9) * step
    return found


def _ends(item: Dimension) -> tuple[Json, Json]:
    if item.kind in ("choice", "grid", "const"):
        return item.values[0], item.values[-1]
    low, high = item.values[0], item.values[1]
    if item.kind == "quniform":
        return low, _on_grid(item, high)
    return (low - _SPREAD * high, low + _SPREAD * high) if item.kind == "normal" else (low, high)


def _drawn(space: tuple[Dimension, ...], values: Mapping[str, Json], lookup: Lookup) -> dict[str, Json]:
    """Those of the values whose dimension is there, given those before it."""
    found: dict[str, Json] = {}
    for item in space:
        if item.when is None or holds(item.when, found, lookup):
            found[item.name] = values[item.name]
    return found


def holds(when: Expression, found: Mapping[str, Json], lookup: Lookup) -> bool:
    """Whether a dimension is there, given the values of those before it; one that cannot be known is not."""

    def read(name: tuple[str, ...]) -> object:
        if len(name) == 2 and name[0] == "trial" and name[1] in found:
            return found[name[1]]
        return lookup(name)

    try:
        return when.evaluate(read) is True
    except (ExpressionError, AlreadyReported):
        return False
