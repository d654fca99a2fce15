"""Mode collapse over the course of games, side by side, after Metz et al. 2016: who covers what, and when."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.adversary.generator import draw
from advorch.kit.adversary.moments import Moments
from advorch.kit.adversary.opening import OpenGenerator
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Figure, Findings, Look, Table, metrics_by_label
from advorch.kit.evaluation.mixtures import Mixture, cover, mixture_of, nearest
from advorch.kit.evaluation.moment_figures import points_by_moment
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.transport import exact
from advorch_builtins.evaluations.catalog_collapse import CollapseParams
from advorch_builtins.evaluations.halves import thirds

_COLUMNS = ("generator", "modes", "of", "high quality", "KL to uniform", "W1", "W1 floor")
_CAPTION = (
    "A sample is of high quality within three deviations of a mode's centre; 20 such of 2,500 cover the mode. The "
    "floor of W1 is that between two halves of the data, of the same size."
)


class Collapse:
    """Batches are of the data, whose classes are the modes."""

    def map(self, subject: Subject, batch: Data, params: CollapseParams) -> Mapping[str, Tensor]:
        """How many deviations away from its mode each real sample is: the share that is far off bounds any quality."""
        return {"away": nearest(batch.x, _mixture(subject))[1]}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: CollapseParams) -> Findings:
        """Coverage at the end, and at every moment that a generator kept."""
        mixture = _mixture(subject)
        found = [_judged(generator, subject, mixture, params) for generator in subject.generators]
        labels = [generator.label for generator in subject.generators]
        own = float((rows["away"] <= _RADIUS).double().mean())
        return Findings(
            metrics=metrics_by_label(labels, found),
            tables={"At the end": _table(labels, found, len(mixture.centres))},
            figures=_figures(subject, mixture),
            notes=[f"Of the data itself {100 * own:.1f} % are of high quality."],
        )


_RADIUS = 3.0


def _mixture(subject: Subject) -> Mixture:
    try:
        return mixture_of(subject.data)
    except ValueError as error:
        raise StageFailed(f"the data is no labelled mixture: {error}", error_class=ErrorClass.USER) from error


def _judged(generator: OpenGenerator, subject: Subject, mixture: Mixture, params: CollapseParams) -> dict[str, float]:
    drawn = draw(generator.game, params.samples, subject.seed, device=subject.device)
    found = cover(drawn, mixture)
    chosen = thirds(len(drawn), len(subject.data), params.transport)
    real = subject.data.x[chosen.real]
    transport = {"w1": exact(drawn[chosen.drawn], real), "w1_floor": exact(subject.data.x[chosen.other], real)}
    divergence = {} if found.divergence is None else {"divergence": found.divergence}
    return {"modes": float(found.modes), "quality": found.quality, **divergence, **transport}


def _table(labels: list[str], found: list[dict[str, float]], modes: int) -> Table:
    rows = tuple(
        (
            label,
            int(one["modes"]),
            modes,
            one["quality"],
            one.get("divergence"),
            one["w1"],
            one["w1_floor"],
        )
        for label, one in zip(labels, found, strict=True)
    )
    return Table(_COLUMNS, rows, _CAPTION, Look(shares=frozenset({"high quality"})))


def _figures(subject: Subject, mixture: Mixture) -> dict[str, Figure]:
    kept = {item.label: item.moments for item in subject.generators if item.moments is not None}
    if not kept:
        return {}
    shown = {label: list(zip(moments.steps, moments.x, strict=True)) for label, moments in kept.items()}
    plane = {"Samples over training": partial(points_by_moment, shown, subject.data.x[:1000])}
    found: dict[str, Figure] = {"Modes over training": partial(_covered, kept, mixture)}
    return (plane if subject.data.x.shape[1:] == torch.Size([2]) else {}) | found


def _covered(kept: Mapping[str, Moments], mixture: Mixture) -> bytes:
    lines = {
        label: Curve(x=[float(step) for step in one.steps], y=[float(cover(x, mixture).modes) for x in one.x])
        for label, one in kept.items()
    }
    return curves({"": lines}, Axis(label="generator updates", count=True), Axis(label="modes covered", count=True))
