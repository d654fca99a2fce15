"""A trial's values a little changed, within their space."""

import random
from collections.abc import Mapping, Sequence

from advorch.canonical import Json
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Dimension
from advorch.tuning.conditions import holds
from advorch.tuning.draws import Chance, Count, Pick, at, coordinate, draw, place

FACTORS = (0.8, 1.2)  # of Jaderberg et al., and of Tune


def explored(
    space: Sequence[Dimension], values: Mapping[str, Json], resample: float, rng: random.Random, lookup: Lookup
) -> dict[str, Json]:
    """New values: each dimension drawn anew with the probability `resample`, else moved; conditions are asked again."""
    new: dict[str, Json] = {}
    for index, dimension in enumerate(space):
        if holds(dimension.when, new, space[:index], lookup):
            fresh = rng.random() < resample or dimension.name not in values
            new[dimension.name] = (
                draw(dimension, Chance(rng)) if fresh else moved(dimension, values[dimension.name], rng)
            )
    return new


def moved(dimension: Dimension, value: Json, rng: random.Random) -> Json:
    """A number times 0.8 or 1.2, within its bounds; a choice to the one before or after it."""
    if isinstance(where := coordinate(dimension), Pick):
        return _neighbour(dimension, value, rng)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"'{dimension.name}' is a number, not {value!r}")
    wanted = value * rng.choice(FACTORS)
    if dimension.kind == "normal":
        return wanted  # it has no bounds
    return at(dimension, round(place(dimension, wanted)) if isinstance(where, Count) else place(dimension, wanted))


def _neighbour(dimension: Dimension, value: Json, rng: random.Random) -> Json:
    beside = place(dimension, value) + rng.choice((-1, 1))
    return at(dimension, min(max(beside, 0), len(dimension.values) - 1))
