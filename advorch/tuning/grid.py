"""Every combination once, the last dimension fastest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from advorch.canonical import Json, canonical
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Dimension
from advorch.tuning.conditions import holds
from advorch.tuning.draws import Count, Pick, at, coordinate
from advorch.tuning.search import Outcome


class Grid:
    """Walks through the product of all dimensions and learns nothing on the way."""

    def __init__(self, space: Sequence[Dimension], lookup: Lookup) -> None:
        self._left = combinations(space, lookup)

    def ask(self) -> Mapping[str, Json] | None:
        """The next combination, None after the last."""
        return next(self._left, None)

    def tell(self, number: int, outcome: Outcome) -> None:
        """What came of it does not change what is next."""


def combinations(space: Sequence[Dimension], lookup: Lookup) -> Iterator[dict[str, Json]]:
    """All of them, drawn as they are needed; a dimension whose condition does not hold adds none."""
    return _onward({}, space, 0, lookup)


def _onward(
    values: dict[str, Json], space: Sequence[Dimension], index: int, lookup: Lookup
) -> Iterator[dict[str, Json]]:
    if index == len(space):
        yield values
    elif not holds(space[index].when, values, space[:index], lookup):
        yield from _onward(values, space, index + 1, lookup)
    else:
        for value in _values(space[index]):
            yield from _onward(values | {space[index].name: value}, space, index + 1, lookup)


def _values(dimension: Dimension) -> Iterable[Json]:
    where = coordinate(dimension)
    if isinstance(where, Pick):
        return {canonical(value): value for value in dimension.values}.values()  # what is listed twice is walked once
    if isinstance(where, Count):
        return (at(dimension, place) for place in range(where.low, where.high + 1))
    raise TypeError(f"'{dimension.kind}' has no end")
