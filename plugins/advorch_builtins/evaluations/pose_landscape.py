"""The landscape of rotations and translations: Engstrom, Tran, Tsipras, Schmidt and Madry, "Exploring the landscape of
spatial robustness", ICML 2019, figure 4.

A pose is three numbers, so its loss can be looked at from end to end: how many maxima there are, and at how many of
them the label is still right. An ascent that begins near one of those ends there.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.warp import Warp, black_of
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.landscape_figures import Landscape, landscapes
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_measured import PoseLandscapeParams

_BLOCK = 256  # poses in one forward pass
_LEAST = 1e-3  # a maximum is so much above the lowest of its neighbours, or it is part of a plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Poses:
    """One model on every pose: samples by angles by places across by places down."""

    model: SubjectModel
    loss: Tensor
    fooled: Tensor

    @property
    def foolable(self) -> Tensor:
        """Samples that some pose fools."""
        return self.fooled.flatten(1).any(1)

    @property
    def peaks(self) -> Tensor:
        """Poses whose loss is the highest of their neighbourhood."""
        high, low = _highest(self.loss), -_highest(-self.loss)
        return (self.loss == high) & (high - low > _LEAST)

    @property
    def trapped(self) -> float | None:
        """Of the maxima of foolable samples those at which the label is right: where an ascent is held back."""
        peaks = self.peaks[self.foolable]
        return float((~self.fooled[self.foolable])[peaks].double().mean()) if bool(peaks.any()) else None


class PoseLandscape:
    """Every sample that it is given is looked at from all sides: give it few."""

    def map(self, subject: Subject, batch: Data, params: PoseLandscapeParams) -> Mapping[str, Tensor]:
        """Loss and verdict at every pose."""
        warp = warp_of(subject, params)
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            found = [_look_around(model, batch.take(slice(row, row + 1)), warp, params) for row in range(len(batch))]
            rows[f"loss/{place}"] = torch.stack([loss for loss, _ in found])
            rows[f"fooled/{place}"] = torch.stack([fooled for _, fooled in found])
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: PoseLandscapeParams) -> Findings:
        """How rugged it is, and pictures of the first samples."""
        seen = [
            Poses(model=model, loss=rows[f"loss/{place}"], fooled=rows[f"fooled/{place}"])
            for place, model in enumerate(subject.models)
        ]
        drawn = {f"Landscape: {poses.model.label}": partial(_draw, poses, subject.data, params) for poses in seen}
        return Findings(
            metrics=_metrics(seen),
            tables={"Landscapes": _summary(seen), "Samples": _samples(seen, subject.data, params)},
            figures=drawn,
            notes=[_what(subject.data, params)],
        )


def warp_of(subject: Subject, params: PoseLandscapeParams) -> Warp:
    """What comes in from outside is the lowest legal value."""
    black = black_of(subject.data.box)
    return Warp(degrees=params.degrees, shift=params.shift, padding=params.padding, black=black)


def ticks(count: int) -> list[float]:
    """From one end to the other, the middle included."""
    return [2 * number / (count - 1) - 1 for number in range(count)]


def _look_around(model: SubjectModel, sample: Data, warp: Warp, params: PoseLandscapeParams) -> tuple[Tensor, Tensor]:
    """One sample at every pose, whatever else is in the batch."""
    places = ticks(params.places)
    grid = torch.tensor(list(itertools.product(ticks(params.angles), places, places)), dtype=sample.x.dtype)
    losses, fooled = [], []
    with untouched(model.module), torch.no_grad():
        for poses in torch.split(grid.to(sample.x.device), _BLOCK):
            y = sample.y.expand(len(poses))
            logits = model.module(warp(sample.x.expand(len(poses), *sample.x.shape[1:]), poses))
            losses.append(functional.cross_entropy(logits, y, reduction="none"))
            fooled.append(logits.argmax(1) != y)
    shape = (params.angles, params.places, params.places)
    return torch.cat(losses).view(shape), torch.cat(fooled).view(shape)


def _highest(values: Tensor) -> Tensor:
    """Of each pose and its 26 neighbours."""
    return functional.max_pool3d(values[:, None], 3, stride=1, padding=1)[:, 0]


def _of_model(poses: Poses) -> dict[str, float]:
    found = {
        "fooled": float(poses.foolable.double().mean()),
        "fooling_poses": float(poses.fooled.double().mean()),
        "maxima": float(poses.peaks.flatten(1).sum(1).double().mean()),
    }
    return found if poses.trapped is None else found | {"trapped": poses.trapped}


def _metrics(seen: Sequence[Poses]) -> dict[str, float]:
    return metrics_by_label([poses.model.label for poses in seen], [_of_model(poses) for poses in seen])


def _summary(seen: Sequence[Poses]) -> Table:
    columns = ("model", "fooled by some pose", "poses that fool", "local maxima", "maxima that do not fool", "samples")
    rows = tuple(
        (
            poses.model.label,
            *(_of_model(poses)[name] for name in ("fooled", "fooling_poses", "maxima")),
            poses.trapped,
            len(poses.loss),
        )
        for poses in seen
    )
    caption = (
        "Shares of samples and of poses; the mean number of local maxima of the loss on the grid, each against its 26 "
        "neighbours; and, over samples that some pose fools, the share of the maxima at which the label is still right."
    )
    shares = frozenset({"fooled by some pose", "poses that fool", "maxima that do not fool"})
    return Table(columns, rows, caption, Look(shares=shares))


def _samples(seen: Sequence[Poses], data: Data, params: PoseLandscapeParams) -> Table:
    columns = (
        "model", "sample", "class", "loss", "largest loss", "angle", "right", "down", "poses that fool", "local maxima",
    )  # fmt: skip
    rows = tuple(_sample(poses, data, params, row) for poses in seen for row in range(len(data)))
    caption = (
        "The worst pose in degrees and in pixels; the loss of the untouched picture beside that of the worst pose."
    )
    return Table(columns, rows, caption, Look(shares=frozenset({"poses that fool"}), folded=True))


def _sample(poses: Poses, data: Data, params: PoseLandscapeParams, row: int) -> tuple[str | int | float, ...]:
    loss, half = poses.loss[row], params.places // 2
    worst = [int(place) for place in torch.unravel_index(loss.argmax(), loss.shape)]
    angle, right, down = (
        reach * ticks(count)[place]
        for reach, count, place in zip(
            reaches(data, params), (params.angles, params.places, params.places), worst, strict=True
        )
    )
    return (
        poses.model.label,
        int(data.ids[row]),
        data.classes[int(data.y[row])],
        float(loss[params.angles // 2, half, half]),
        float(loss.max()),
        angle,
        right,
        down,
        float(poses.fooled[row].double().mean()),
        int(poses.peaks[row].sum()),
    )


def reaches(data: Data, params: PoseLandscapeParams) -> tuple[float, float, float]:
    """The ends of a pose in degrees and in pixels."""
    height, width = data.x.shape[-2:]
    return params.degrees, params.shift * width, params.shift * height


def _draw(poses: Poses, data: Data, params: PoseLandscapeParams) -> bytes:
    """The planes through the untouched picture."""
    count = min(params.examples, len(data))
    shown = [
        Landscape(
            image=data.x[row],
            title=data.classes[int(data.y[row])],
            loss=poses.loss[row],
            fooled=poses.fooled[row],
        )
        for row in range(count)
    ]
    return landscapes(shown, reaches(data, params), data.box)


def _what(data: Data, params: PoseLandscapeParams) -> str:
    degrees, across, down = reaches(data, params)
    count = params.angles * params.places**2
    return (
        f"{count:,} poses a sample: {params.angles} angles to {degrees:g} degrees either side, by {params.places} "
        f"translations to {across:.3g} pixels across and as many to {down:.3g} pixels down."
    )
