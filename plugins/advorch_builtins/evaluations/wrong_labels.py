"""How often two models that are both fooled say the same: Goodfellow, Shlens and Szegedy 2015, section 8."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from advorch.kit.evaluation.statistics import Proportion
from advorch_builtins.evaluations.crossing import Crossing, groups


class Agreement(NamedTuple):
    """Of the samples that two models both get wrong: on how many they agree, and on how many by chance."""

    attack: str
    first: int
    second: int
    equal: Proportion
    expected: float


def agreements(found: Sequence[Crossing], classes: int) -> list[Agreement]:
    """By attack and pair of models, over the sets that were not made on both: there they were driven the same way."""
    result = []
    for label, sets in groups(found):
        for first, second in combinations(range(len(sets[0].predicted)), 2):
            parts = [
                _both_wrong(crossing, first, second) for crossing in sets if not {first, second} <= {*crossing.made_on}
            ]
            if parts:
                y, one, other = (torch.cat(columns) for columns in zip(*parts, strict=True))
                equal = Proportion(int((one == other).sum()), len(y))
                result.append(Agreement(label, first, second, equal, by_chance(y, one, other, classes)))
    return result


def by_chance(y: Tensor, one: Tensor, other: Tensor, classes: int) -> float:
    """The share of equal labels if each model drew its wrong labels by itself, as often as it says them of a class."""
    expected = 0.0
    for label in range(classes):
        among = y == label
        if among.any():
            shares = [torch.bincount(said[among], minlength=classes).double() / among.sum() for said in (one, other)]
            expected += float(among.sum() * (shares[0] * shares[1]).sum())
    return expected / max(1, len(y))


def pooled(found: Sequence[Agreement]) -> dict[str, float]:
    """One number for all pairs and attacks."""
    total = sum(pair.equal.total for pair in found)
    return {"equal_wrong_labels": sum(pair.equal.count for pair in found) / total} if total else {}


def _both_wrong(crossing: Crossing, first: int, second: int) -> tuple[Tensor, Tensor, Tensor]:
    one, other = crossing.predicted[first], crossing.predicted[second]
    wrong = (one != crossing.y) & (other != crossing.y)
    return crossing.y[wrong], one[wrong], other[wrong]
