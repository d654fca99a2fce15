"""Drawing a trial's values: each distribution stands on one coordinate, which any source of numbers can choose."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist
from typing import Any, Protocol, TypeAlias

from advorch.canonical import Json, canonical
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Dimension
from advorch.tuning.conditions import holds

TAIL = 1e-9  # of a normal distribution at either end: six deviations


@dataclass(frozen=True, slots=True)
class Span:
    """A real number between two others."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number between two others, both included."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """One of so many, in no order, counted from 0."""

    count: int


Coordinate: TypeAlias = Span | Count | Pick


class Source(Protocol):
    """Where numbers come from: chance, or a search algorithm."""

    def draw(self, name: str, coordinate: Coordinate) -> float:
        """A place on the coordinate of the dimension of that name."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws evenly, or evenly in the logarithm."""

    rng: random.Random

    def draw(self, name: str, coordinate: Coordinate) -> float:
        """The name does not matter: every dimension is independent."""
        match coordinate:
            case Pick():
                return self.rng.randrange(coordinate.count)
            case Count(low, high, log=False):
                return self.rng.randint(low, high)
            case Count(low, high):
                return _within(round(self._log(low - 0.5, high + 0.5)), low, high)
            case Span(low, high, log=False):
                return _within(self.rng.uniform(low, high), low, high)
            case Span(low, high):
                return _within(self._log(low, high), low, high)

    def _log(self, low: float, high: float) -> float:
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))


def drawn(space: Sequence[Dimension], source: Source, lookup: Lookup) -> dict[str, Json]:
    """A value for each dimension in the order of the file, but for those whose condition does not hold."""
    values: dict[str, Json] = {}
    for index, dimension in enumerate(space):
        if holds(dimension.when, values, space[:index], lookup):
            values[dimension.name] = draw(dimension, source)
    return values


def draw(dimension: Dimension, source: Source) -> Json:
    """One value; a constant asks nobody."""
    where = coordinate(dimension)
    return at(dimension, 0 if where == Pick(1) else source.draw(dimension.name, where))


def coordinate(dimension: Dimension) -> Coordinate:
    """The coordinate on which a distribution is even."""
    match dimension.kind:
        case "uniform" | "loguniform":
            low, high = dimension.values
            return Span(float(low), float(high), log=dimension.kind == "loguniform")
        case "int" | "logint":
            low, high = dimension.values
            return Count(int(low), int(high), log=dimension.kind == "logint")
        case "quniform":
            return Count(0, _steps(*dimension.values))
        case "normal":
            return Span(TAIL, 1 - TAIL)
        case _:
            return Pick(len(dimension.values))


def at(dimension: Dimension, place: float) -> Json:
    """The value of a dimension at a place of its coordinate."""
    match dimension.kind:
        case "uniform" | "loguniform":
            return float(place)
        case "int" | "logint":
            return int(place)
        case "quniform":
            return _step(int(place), *dimension.values)
        case "normal":
            return NormalDist(*dimension.values).inv_cdf(place)
        case _:
            value: Json = dimension.values[int(place)]
            return value


def place(dimension: Dimension, value: Any) -> float:
    """The place of a value, or of the one nearest to it."""
    if isinstance(where := coordinate(dimension), Pick):
        return [canonical(item) for item in dimension.values].index(canonical(value))
    if dimension.kind == "quniform":
        low, _, step = dimension.values
        return _within(round((value - low) / step), where.low, where.high)
    if dimension.kind == "normal":
        value = NormalDist(*dimension.values).cdf(value)
    return _within(value, where.low, where.high)


def _steps(low: float, high: float, step: float) -> int:
    """How often the step fits; a little patience, for 16/255 is not quite eight times 2/255."""
    return math.floor((_decimal(high) - _decimal(low)) / _decimal(step) + Decimal("1e-9"))


def _step(index: int, low: float, high: float, step: float) -> float:
    """In decimals, so that three steps of 0.1 are 0.3; whole numbers stay whole."""
    value = _decimal(low) + index * _decimal(step)
    whole = all(isinstance(item, int) for item in (low, high, step))
    return int(value) if whole else min(float(value), float(high))


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
