"""What a class score depends on, as a picture, and how far that is the image itself.

Etmann, Lunz, Maass and Schoenlieb, "On the connection between adversarial robustness and saliency map
interpretability" (ICML 2019, arXiv:1905.04172): the alignment |<x, g>| / ||g|| with g the gradient of the score of the
predicted class, which grows with robustness. Where a model is linear without a bias, the alignment with the gradient
of the lead is the distance to the boundary. Tsipras et al. 2019 (arXiv:1805.12152) have the pictures.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch.kit.evaluation.statistics import bounded_mean, mean_interval
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_training import SaliencyParams

_MEASURES = ("alignment", "cosine")
_CAPTION = (
    "Alignment: |<x, g>| / ||g||, in the data's units; cosine: the same over ||x||. Means over samples with Student's "
    "95% interval, of samples whose gradient is not zero; against the first model sample by sample."
)
_POINTS = 101
_SIGMAS = 3.0  # beyond which a picture's numbers are cut, as Tsipras et al. cut them


class Saliency:
    """Batches are of clean samples; each model has a gradient of its own at each."""

    def map(self, subject: Subject, batch: Data, params: SaliencyParams) -> Mapping[str, Tensor]:
        """By model: both measures of each sample, not a number where its gradient is zero; and whether it is right."""
        rows = {}
        for place, model in enumerate(subject.models):
            slope = slopes(model, batch, params)
            rows[f"alignment/{place}"], rows[f"cosine/{place}"] = alignment(batch.x, slope)
            rows[f"right/{place}"] = model.predict(batch.x) == batch.y
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: SaliencyParams) -> Findings:
        """Means, differences, their distributions, and the pictures of the first samples that all models get right."""
        labels = [model.label for model in subject.models]
        found = [{name: rows[f"{name}/{place}"].double() for name in _MEASURES} for place in range(len(labels))]
        figures = {"Cosine of image and gradient": partial(_spread, labels, [own["cosine"] for own in found])}
        if is_image(subject.data.x.shape[1:]):
            right = torch.stack([rows[f"right/{place}"] for place in range(len(labels))]).all(0)
            places = (right if right.any() else torch.ones_like(right)).nonzero().flatten()[: params.shown]
            figures["Images and gradients"] = partial(_pictures, subject, places, found, params)
        return Findings(
            metrics=metrics_by_label(labels, [_metrics(own) for own in found]),
            tables={"Alignment": _table(labels, found)},
            figures=figures,
        )


def slopes(model: SubjectModel, batch: Data, params: SaliencyParams) -> Tensor:
    """The gradient at each sample of what the parameters ask for, for the class that the model predicts."""
    victim = Victim(model.module, box=None, norm=Norm.L2, epsilon=0.0, access=model.access)
    with untouched(model.module):
        return victim.gradient(batch.x, model.predict(batch.x), lead if params.of == "lead" else score)


def score(logits: Tensor, y: Tensor) -> Tensor:
    """Of the class itself."""
    return logits.gather(1, y[:, None])[:, 0]


def lead(logits: Tensor, y: Tensor) -> Tensor:
    """Over the runner-up."""
    others = logits.scatter(1, y[:, None], -torch.inf)
    return score(logits, y) - others.amax(1)


def alignment(x: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """|<x, g>| / ||g|| and |<x, g>| / ||x|| ||g||; not a number where either vector is zero."""
    flat, along = x.flatten(1).double(), slope.flatten(1).double()
    length, size = along.norm(dim=1), flat.norm(dim=1)
    product = (flat * along).sum(1).abs()
    none = torch.full_like(product, torch.nan)
    known = (length > 0) & (size > 0)
    return torch.where(known, product / length, none), torch.where(known, product / length / size, none)


def _known(values: Tensor) -> list[float]:
    kept: list[float] = values[values.isfinite()].tolist()
    return kept


def _metrics(found: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: mean_interval(known)[0] for name, values in found.items() if (known := _known(values))}


def _table(labels: Sequence[str], found: Sequence[Mapping[str, Tensor]]) -> Table:
    bounds = [(name, f"{name} low", f"{name} high") for kind in _MEASURES for name in (kind, f"{kind} above the first")]
    rows = tuple(_row(label, own, found[0] if place else None)
                 for place, (label, own) in enumerate(zip(labels, found, strict=True)))  # fmt: skip
    columns = ("model", "samples", "without gradient", *itertools.chain(*bounds))
    return Table(columns, rows, _CAPTION, Look(intervals=tuple(bounds), usual=(("without gradient", 0),)))


def _row(label: str, own: Mapping[str, Tensor], first: Mapping[str, Tensor] | None) -> tuple[Value, ...]:
    pairs = [(own[name], own[name] - first[name] if first else None) for name in _MEASURES]
    cells = (_bounded(values) for pair in pairs for values in pair)
    samples = own["cosine"]
    return (label, len(samples), int(samples.isnan().sum()), *itertools.chain(*cells))


def _bounded(values: Tensor | None) -> tuple[Value, Value, Value]:
    known = [] if values is None else _known(values)
    return bounded_mean(known) if known else (None, None, None)


def _spread(labels: Sequence[str], cosines: Sequence[Tensor]) -> bytes:
    """The share of samples below each cosine."""
    grid = torch.linspace(0, 1, _POINTS, dtype=torch.float64)
    panel = {
        label: Curve(x=grid.tolist(), y=[float((known <= at).double().mean()) for at in grid])
        for label, values in zip(labels, cosines, strict=True)
        if len(known := values[values.isfinite()])
    }
    return curves({"": panel}, Axis(label="cosine of image and gradient"), Axis(label="samples below", share=True))


def _pictures(subject: Subject, places: Tensor, found: Sequence[Mapping[str, Tensor]], params: SaliencyParams) -> bytes:
    """Images above, and each model's gradients below them."""
    batch, box = subject.data.take(places), shown_box(subject.data.box, subject.data.x)
    rows = {"image": [Tile(image=unit(image, box), caption=batch.classes[int(label)])
                      for image, label in zip(batch.x, batch.y, strict=True)]}  # fmt: skip
    for model, own in zip(subject.models, found, strict=True):
        slope = slopes(model, batch.to(subject.device), params).cpu()
        cosines = own["cosine"][places].tolist()
        rows[model.label] = [Tile(image=shown(each), caption=f"cosine {cosine:.2f}")
                             for each, cosine in zip(slope, cosines, strict=True)]  # fmt: skip
    return tile_grid(rows, side=1.1)


def shown(slope: Tensor) -> Tensor:
    """A gradient about grey: lighter where more light raises the score, cut at three deviations."""
    reach = (_SIGMAS * slope.double().square().mean().sqrt()).clamp(min=1e-30)
    return 0.5 + 0.5 * (slope / reach).clamp(-1, 1)
