"""Randomized smoothing, certified: Cohen, Rosenfeld and Kolter 2019 (arXiv:1902.02918), table 2: 60 % of CIFAR-10 at l2
0.25, 42 % at 0.5 (sigma 0.25, n 100,000)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import untouched
from advorch.kit.data import Data
from advorch.kit.evaluation.certificate import certified_radius, certify, largest_radius
from advorch.kit.evaluation.curves import Axis, accuracy_curve, curves
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_certificate import CertificateParams
from advorch_builtins.evaluations.crossing import names_of

_POINTS = 60  # of a curve
_SHARE = frozenset({"certified accuracy", "low", "high"})
_BOUNDS = (("certified accuracy", "low", "high"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """One model's samples: `radius` is NaN where it abstains, `right` where the class that it says is the label."""

    name: str
    clean: Tensor
    right: Tensor
    radius: Tensor
    seconds: float | None

    def at(self, radius: float) -> Proportion:
        """Samples that are right, and stay so at every point so near."""
        return proportion(self.right & (self.radius >= radius))

    @property
    def abstained(self) -> Proportion:
        """Samples of which nothing is said."""
        return proportion(self.radius.isnan())

    @property
    def mean_radius(self) -> float:
        """Over all samples, and nothing for one that is wrong or abstained from."""
        return float(torch.where(self.right, self.radius, 0.0).nan_to_num(0.0).mean())


class Certificate:
    """Votes are by sample; what they certify is found from all of them."""

    def map(self, subject: Subject, batch: Data, params: CertificateParams) -> Mapping[str, Tensor]:
        """What each model says without noise, its guess under it, and how many draws agree."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            guess, agreed = _certify(subject, model, batch, params)
            rows |= {f"clean/{place}": model.predict(batch.x).cpu(), f"guess/{place}": guess, f"agreed/{place}": agreed}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: CertificateParams) -> Findings:
        """Certified accuracy by radius, with intervals over the samples."""
        found = [
            _certified(subject, rows, params, place, name) for place, name in enumerate(names_of(subject, params.names))
        ]
        largest = largest_radius(params.n, params.alpha, params.sigma)
        radii = params.radii or _steps(params.sigma / 2, largest)
        fine = [largest * step / _POINTS for step in range(_POINTS + 1)]
        lines = {one.name: accuracy_curve(fine, [one.at(radius) for radius in fine]) for one in found}
        across, up = Axis(label="radius (l2)"), Axis(label="certified accuracy", share=True)
        return Findings(
            metrics=_metrics(subject, found, largest),
            tables={"Smoothed models": _summary(found, largest), "Certified accuracy": _by_radius(found, radii)},
            figures={"Certified accuracy by radius": partial(curves, {"": lines}, across, up)},
            notes=_notes(params, largest),
        )


def _certify(subject: Subject, model: SubjectModel, batch: Data, params: CertificateParams) -> tuple[Tensor, Tensor]:
    draws = Draws(subject.seed, batch.ids).fork("certificate")
    with untouched(model.module, seed=draws.fork("module").seed):
        guess, agreed = certify(
            model.module, batch.x, draws, sigma=params.sigma, n0=params.n0, n=params.n, batch=params.batch
        )
    return guess.cpu(), agreed.cpu()


def _certified(
    subject: Subject, rows: Mapping[str, Tensor], params: CertificateParams, place: int, name: str
) -> Certified:
    y = subject.data.y.cpu()
    radius = certified_radius(rows[f"agreed/{place}"], params.n, params.alpha, params.sigma)
    return Certified(
        name=name,
        clean=rows[f"clean/{place}"] == y,
        right=(rows[f"guess/{place}"] == y) & ~radius.isnan(),
        radius=radius,
        seconds=_seconds(subject, subject.models[place], params) if params.timed else None,
    )


def _seconds(subject: Subject, model: SubjectModel, params: CertificateParams) -> float:
    """By the clock, for one sample; on a device the votes that come back are waited for."""
    few = subject.data.take(slice(params.timed)).to(subject.device)
    started = time.perf_counter()
    _certify(subject, model, few, params)
    return (time.perf_counter() - started) / max(1, len(few))


def _steps(width: float, largest: float) -> list[float]:
    """From zero on, as far as anything can be certified."""
    return [step * width for step in range(int(largest / width) + 1)]


def _by_radius(found: Sequence[Certified], radii: Sequence[float]) -> Table:
    rows = tuple((one.name, radius, *one.at(radius).bounded) for one in found for radius in radii)
    caption = (
        "Samples that are right at every point within the radius, each with the probability 1 - alpha; the interval "
        "(95%, Wilson) is that of the samples. At radius zero: right, and not abstained from."
    )
    return Table(
        ("model", "radius", "certified accuracy", "low", "high"), rows, caption, Look(shares=_SHARE, intervals=_BOUNDS)
    )


def _summary(found: Sequence[Certified], largest: float) -> Table:
    columns = ("model", "clean accuracy", "certified accuracy", "low", "high", "abstained", "mean radius", "largest")
    rows: list[tuple[Value, ...]] = []
    for one in found:
        shares = (proportion(one.clean).known, *one.at(0.0).bounded, one.abstained.known)
        rows.append((one.name, *shares, one.mean_radius, largest))
    caption = (
        "Clean accuracy is that of the model itself, without noise; the certified one is at radius zero. The mean "
        "radius counts nothing for samples that are wrong or abstained from; the largest is what n draws can certify."
    )
    look = Look(shares=_SHARE | {"clean accuracy", "abstained"}, intervals=_BOUNDS)
    return Table(columns, tuple(rows), caption, look)


def _metrics(subject: Subject, found: Sequence[Certified], largest: float) -> dict[str, float]:
    every = []
    for one in found:
        own = {
            "clean_accuracy": proportion(one.clean).value,
            "certified_accuracy": one.at(0.0).value,
            "mean_radius": one.mean_radius,
            "abstained": one.abstained.value,
            "largest_radius": largest,
        }
        every.append(own | ({} if one.seconds is None else {"seconds": one.seconds}))
    return metrics_by_label([model.label for model in subject.models], every)


def _notes(params: CertificateParams, largest: float) -> list[str]:
    law = (
        f"Gaussian noise of deviation {params.sigma:g} in the data's own units, not clipped, before whatever the model "
        f"does first; {params.n0:,} draws guess the class and {params.n:,} more count it. A certificate is wrong with "
        f"a probability of at most {params.alpha:g}, and speaks of the vote, not of the model alone."
    )
    if not largest:
        return [law, f"With {params.n} draws at alpha {params.alpha:g} nothing can be certified: take more."]
    return [law, f"Draws that all agree certify {largest:.3g}, {largest / params.sigma:.2f} sigma: no sample has more."]
