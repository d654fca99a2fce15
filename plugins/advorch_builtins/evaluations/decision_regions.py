"""Decision regions: Liu, Chen, Liu and Song, "Delving into transferable adversarial examples", ICLR 2017, figure 3.

A plane through each sample, spanned by the gradient of one model's loss and by a random direction orthogonal to it;
every model is asked for its label on the same grid. A step of one along an axis changes a number by one value of an
8-bit pixel in the root mean square, as RMSD counts it; nothing is cut at the box, which would bend the plane.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.rows import euclidean, per_sample, size, total
from advorch.kit.attack.traceless import untouched
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Look, Table
from advorch.kit.evaluation.region_figures import Panels, region_map
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_regions import DecisionRegionsParams
from advorch_builtins.evaluations.crossing import names_of, scale

_MOST = 60
_ROWS = 1024
_SHOWN = 6
Reaches: TypeAlias = Sequence[Sequence[Sequence[float | None]]]
"""By sample, model and direction."""

_WAYS = ("along the gradient", "against it", "along the random direction", "against it, random")


class DecisionRegions:
    """Every sample of the data gets a plane, so the data is a few samples."""

    def map(self, subject: Subject, batch: Data, params: DecisionRegionsParams) -> Mapping[str, Tensor]:
        """The label of every model on the grid of every sample: rows of models by height by width."""
        _check(subject, params)
        first, second = axes_of(subject.models[params.source - 1], batch, subject.seed)
        offsets = torch.linspace(-params.reach, params.reach, params.points).to(batch.x) / scale(subject)
        regions = [_regions(model, batch.x, first, second, offsets) for model in subject.models]
        return {"regions": torch.stack(regions, 1).to(torch.int16), "y": batch.y}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: DecisionRegionsParams) -> Findings:
        """How far each model's region reaches, on how much of the plane models agree, and the pictures."""
        _check(subject, params)
        names, regions, y = names_of(subject, params.names), rows["regions"].long(), rows["y"]
        reaches = [
            [_reaches(regions[row, place], params.reach) for place in range(len(names))] for row in range(len(y))
        ]
        shares = agreements(regions)
        table = _distances(reaches, regions, names, subject.data)
        figure = partial(_picture, regions[:_SHOWN], names, subject.data, params)
        agreeing = {"Agreement": _agreement(shares, names)} if shares else {}
        return Findings(
            metrics=_metrics(reaches, shares),
            tables={"Distance to another label": table} | agreeing,
            figures={"Decision regions": figure},
            notes=_notes(regions, names, params),
        )


def axes_of(model: SubjectModel, batch: Data, seed: int) -> tuple[Tensor, Tensor]:
    """The gradient of the loss, and a random direction orthogonal to it; both change a number by one in the root mean
    square, so that they are as long as a sample has numbers, rooted.
    """
    with untouched(model.module), torch.enable_grad():
        point = batch.x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(model.module(point), batch.y).sum(), point)
    if not bool(gradient.flatten(1).any(1).all()):
        message = f"'{model.label}' has no gradient at a sample, so that the plane has no first axis"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="choose another `source`, or other samples")
    first = _unit(gradient)
    drawn = Draws(seed, batch.ids).fork("direction").normal(batch.x.shape[1:], like=batch.x)
    second = _unit(drawn - first * per_sample(total(drawn * first).to(drawn.dtype) / size(drawn), drawn))
    return first, second


def agreements(regions: Tensor) -> dict[tuple[int, int], float]:
    """By pair of models, the share of the grids on which they say the same."""
    models = range(regions.shape[1])
    return {
        (one, other): float((regions[:, one] == regions[:, other]).double().mean())
        for one, other in combinations(models, 2)
    }


def _unit(direction: Tensor) -> Tensor:
    scaled = direction / per_sample(direction.flatten(1).abs().amax(1), direction)
    return scaled * per_sample(size(scaled) ** 0.5 / euclidean(scaled).to(scaled.dtype), scaled)


def _regions(model: SubjectModel, x: Tensor, first: Tensor, second: Tensor, offsets: Tensor) -> Tensor:
    """Labels with the second axis upwards: row 0 is the most negative."""
    count, across = len(offsets), offsets.view(-1, *[1] * (x.dim() - 1))
    labels = torch.empty(len(x), count * count, dtype=torch.int64)
    for row in range(len(x)):
        for start in range(0, count * count, _ROWS):
            place = torch.arange(start, min(start + _ROWS, count * count), device=x.device)
            z = x[row] + across[place % count] * first[row] + across[place // count] * second[row]
            labels[row, place.cpu()] = model.predict(z).cpu()
    return labels.view(len(x), count, count)


def _reaches(region: Tensor, reach: float) -> list[float | None]:
    """From the middle in four directions, how far the first point with another label is; None: not on the grid."""
    middle = len(region) // 2
    label, step = region[middle, middle], 2 * reach / (len(region) - 1)
    sideways = (region[middle, middle:], region[middle, : middle + 1].flip(0))
    rays = (*sideways, region[middle:, middle], region[: middle + 1, middle].flip(0))
    other = [(ray != label).nonzero().flatten() for ray in rays]
    return [float(found[0]) * step if len(found) else None for found in other]


def _metrics(
    reaches: Sequence[Sequence[Sequence[float | None]]], shares: Mapping[tuple[int, int], float]
) -> dict[str, float]:
    """Means over samples and models of what ends on the grid."""
    every = [ways for sample in reaches for ways in sample]
    found = {
        "agreement": list(shares.values()),
        "gradient_distance": [ways[0] for ways in every if ways[0] is not None],
        "random_distance": [way for ways in every for way in ways[2:] if way is not None],
    }
    return {name: fmean(values) for name, values in found.items() if values}


def _distances(reaches: Reaches, regions: Tensor, names: Sequence[str], data: Data) -> Table:
    middle = regions.shape[-1] // 2
    rows = tuple(
        (
            f"{row + 1}: {data.classes[int(data.y[row])]}",
            name,
            data.classes[int(regions[row, place, middle, middle])],
            *ways,
            len(set(regions[row, place].flatten().tolist())),
        )
        for row, sample in enumerate(reaches)
        for place, (name, ways) in enumerate(zip(names, sample, strict=True))
    )
    caption = (
        "How far from the sample the label changes, as the root mean square change in values of an 8-bit pixel; "
        "a dash: not on the grid. The last column counts the labels on the whole grid."
    )
    return Table(("sample", "model", "says", *_WAYS, "labels"), rows, caption)


def _agreement(shares: Mapping[tuple[int, int], float], names: Sequence[str]) -> Table:
    rows = tuple((names[one], names[other], share) for (one, other), share in shares.items())
    caption = "Share of the points of all grids on which two models say the same."
    return Table(("model", "and", "agreement"), rows, caption, Look(shares=frozenset({"agreement"})))


def _notes(regions: Tensor, names: Sequence[str], params: DecisionRegionsParams) -> list[str]:
    source = f"The first axis is the gradient of the loss of {names[params.source - 1]}"
    notes = [
        f"{source}, the second is drawn orthogonal to it; both are the same for all models.",
        "Points outside the box of legal values are part of the plane too.",
    ]
    return [*notes, f"The figure has the first {_SHOWN} samples."] if len(regions) > _SHOWN else notes


def _picture(regions: Tensor, names: Sequence[str], data: Data, params: DecisionRegionsParams) -> bytes:
    rows = [f"sample {row + 1}: {data.classes[int(label)]}" for row, label in enumerate(data.y[: len(regions)])]
    panels = Panels(regions=regions, rows=rows, columns=names, classes=data.classes, reach=params.reach)
    source = names[params.source - 1]
    return region_map(panels, across=f"along the gradient of {source}", up="random direction")


def _check(subject: Subject, params: DecisionRegionsParams) -> None:
    if len(subject.data) > _MOST:
        hint = "give the port a few samples, such as `splits: {shown: 'test[:4]'}`"
        message = f"{len(subject.data):,} samples would be {len(subject.data):,} planes; {_MOST} are the most"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
    if params.source > len(subject.models):
        message = f"`source` is {params.source}, and there are {len(subject.models)} models"
        raise StageFailed(
            message, error_class=ErrorClass.USER, hint="models are counted from 1, in the order of the port"
        )
