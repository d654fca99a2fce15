"""Mode coverage of a labelled mixture, after Metz et al. 2016, Unrolled Generative Adversarial Networks."""

from collections.abc import Mapping

from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation import figures
from advorch.kit.evaluation.findings import Findings, Look, Table
from advorch.kit.evaluation.mixtures import Coverage, Mixture, coverage, mixture_of, nearest
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.transport import exact
from advorch_builtins.evaluations.catalog import ModesParams
from advorch_builtins.evaluations.halves import thirds

_PLOTTED = 1000


class Modes:
    """Batches are of generated samples; the data, whose classes are the modes, is the yardstick."""

    def map(self, subject: Subject, batch: Data, params: ModesParams) -> Mapping[str, Tensor]:
        """The nearest mode of each sample, and how many deviations away it is."""
        index, away = nearest(batch.x, _mixture(subject))
        return {"mode": index, "away": away}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: ModesParams) -> Findings:
        """Coverage, and how far the samples are from the data against how far the data is from itself."""
        found = coverage(rows["mode"], rows["away"], len(_mixture(subject).centres))
        count, distance, floor = _transport(subject.walked.x, subject.data.x, params.transport)
        transport = {"wasserstein": distance, "wasserstein_floor": floor}
        divergence = {} if found.divergence is None else {"divergence": found.divergence}
        shares = {"modes": float(found.modes), "modes_of": float(found.of), "quality": found.quality}
        return Findings(
            metrics=shares | divergence | transport,
            tables={"Coverage": _summary(found, distance, floor), "Modes": _by_mode(found, subject)},
            figures=_figures(subject),
            notes=_notes(count, found, floor),
        )


def _mixture(subject: Subject) -> Mixture:
    try:
        return mixture_of(subject.data)
    except ValueError as error:
        raise StageFailed(f"the data is no labelled mixture: {error}", error_class=ErrorClass.USER) from error


def _transport(samples: Tensor, data: Tensor, most: int) -> tuple[int, float, float]:
    """W1 of samples to one half of the data, and of that half to the other, all three of one size."""
    chosen = thirds(len(samples), len(data), most)
    real = data[chosen.real]
    return chosen.size, exact(samples[chosen.drawn], real), exact(data[chosen.other], real)


def _summary(found: Coverage, distance: float, floor: float) -> Table:
    columns = ("modes", "of", "high quality", "KL to uniform", "W1", "W1 floor")
    row = (found.modes, found.of, found.quality, found.divergence, distance, floor)
    caption = "The floor is the same distance between two halves of the data."
    return Table(columns, (row,), caption, Look(shares=frozenset({"high quality"})))


def _by_mode(found: Coverage, subject: Subject) -> Table:
    total = sum(found.counts)
    names = [subject.data.classes[label] for label in _mixture(subject).classes]
    shares = [count / total if total else None for count in found.counts]
    rows = tuple(zip(names, found.counts, shares, strict=True))
    return Table(("mode", "high-quality samples", "share"), rows, look=Look(shares=frozenset({"share"})))


def _figures(subject: Subject) -> dict[str, bytes]:
    if subject.data.x.dim() != 2 or subject.data.x.shape[1] != 2:
        return {}
    groups = {"data": subject.data.x[:_PLOTTED], "samples": subject.walked.x[:_PLOTTED]}
    return {"Samples over data": figures.scatter(groups)}


def _notes(count: int, found: Coverage, floor: float) -> list[str]:
    notes = [
        f"Wasserstein distances are of {count:,} against {count:,} samples; compare them with the floor ({floor:.4f})."
    ]
    if found.divergence is None:
        notes.append("No sample is of high quality, so their histogram has no divergence.")
    return notes
