"""What a page says of descent directions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Look, Table, Value

SINGLE, MEAN, SHORTEST = "one maximiser's gradient", "mean of the gradients", "shortest combination (DDi)"
_CAPTION = (
    "Rises: of the walks, those on which the worst case is higher than at the start, after the first step and at the "
    "end. Change is that of the worst case, a mean over walks."
)
_STANDING = (
    "Cosines between the gradients at the maximisers of one batch, over all pairs and batches: below zero, one's "
    "descent is another's ascent. Length: of the shortest combination, over the mean length of a gradient."
)


@dataclass(frozen=True, slots=True)
class Walks:
    """Of one model: the change of the worst case by walk and length; cosines and lengths of gradients by batch."""

    model: str
    lengths: Sequence[float]
    changes: Mapping[str, Tensor]
    cosines: Tensor
    norms: Tensor

    def pairs(self) -> Tensor:
        """The cosines of two different gradients."""
        draws = self.cosines.shape[1]
        above = torch.ones(draws, draws, dtype=torch.bool).triu(1)
        return self.cosines.cpu()[:, above]

    def rises(self, name: str, point: int) -> float:
        """Of the walks, those that are higher there than at the start."""
        return float((self.changes[name][:, point] > 0).double().mean())

    def metrics(self) -> dict[str, float]:
        """After the first step."""
        return {
            "single_rises": self.rises(SINGLE, 1),
            "shortest_rises": self.rises(SHORTEST, 1),
            "single_change": float(self.changes[SINGLE][:, 1].mean()),
            "shortest_change": float(self.changes[SHORTEST][:, 1].mean()),
            "least_cosine": float(self.pairs().min()),
        }


def tables(walks: Sequence[Walks]) -> dict[str, Table]:
    """A row for each direction; how gradients stand; every point."""
    columns = (
        "model", "direction", "walks", "first step", "rises after it", "change after it", "rises at the end",
        "change at the end",
    )  # fmt: skip
    rows = tuple(_row(found, name) for found in walks for name in found.changes)
    shares = frozenset({"rises after it", "rises at the end"})
    return {
        "The worst case along directions": Table(columns, rows, _CAPTION, Look(shares=shares)),
        "Gradients at the maximisers": _standing(walks),
        "Every length": _every(walks),
    }


def _row(found: Walks, name: str) -> tuple[Value, ...]:
    changes, last = found.changes[name], len(found.lengths) - 1
    values = [value for point in (1, last) for value in (found.rises(name, point), float(changes[:, point].mean()))]
    return (found.model, name, len(changes), found.lengths[1], *values)


def _standing(walks: Sequence[Walks]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for found in walks:
        pairs, (least, mean) = found.pairs().double(), found.norms.cpu().double().mean(0)
        below = float((pairs < 0).double().mean())
        rows.append((found.model, float(pairs.min()), float(pairs.mean()), below, float(least / mean.clamp_min(1e-30))))
    columns = ("model", "least cosine", "mean cosine", "below zero", "length")
    return Table(columns, tuple(rows), _STANDING, Look(shares=frozenset({"below zero"})))


def _every(walks: Sequence[Walks]) -> Table:
    rows = tuple(
        (found.model, name, float(length), float(column.mean()), float(column.min()), float(column.max()))
        for found in walks
        for name, changes in found.changes.items()
        for length, column in zip(found.lengths, changes.unbind(1), strict=True)
    )
    return Table(("model", "direction", "length", "change", "least", "most"), rows, look=Look(folded=True))


def figures(walks: Sequence[Walks]) -> dict[str, Callable[[], bytes]]:
    """A figure for each model: their losses have no common height."""
    return {f"The worst case along directions: {found.model}": partial(_figure, found) for found in walks}


def _figure(found: Walks) -> bytes:
    panel = {name: _curve(found.lengths, changes) for name, changes in found.changes.items()}
    height = Axis(label="change of the worst-case loss")
    return curves({found.model: panel}, Axis(label="distance of the weights from where they were"), height)


def _curve(lengths: Sequence[float], changes: Tensor) -> Curve:
    bounds = (changes.amin(0).tolist(), changes.amax(0).tolist()) if len(changes) > 1 else ((), ())
    return Curve(x=lengths, y=changes.mean(0).tolist(), low=bounds[0], high=bounds[1])


def notes(batch: int, samples: int, draws: int) -> list[str]:
    """What is measured, and what its limits are."""
    size = min(batch, samples)
    loss = f"a mean over {size:,} samples" if size > 1 else "that of one sample"
    worst = (
        f"The loss is {loss}; the worst case is the largest of {draws} maximisers of the start and {draws} fresh "
        "attacks, sample by sample: attacks that miss the maximum make it too low."
    )
    return [
        worst,
        "Lines are means over walks, bands reach from the lowest to the highest; directions have length one.",
    ]
