"""Generated samples against data in the features of classifiers that were trained on such data.

Features are fixed and named by the digest of the model that makes them: numbers of other features cannot be compared.
"""

from collections.abc import Mapping
from dataclasses import asdict

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.features import features
from advorch.kit.evaluation.fidelity import frechet, kernel, manifold
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_generated import FidelityParams
from advorch_builtins.evaluations.halves import thirds

_QUALITIES = ("precision", "recall", "density", "coverage")
_COLUMNS = ("features of", "digest", "size", "samples", "frechet", "kernel", *_QUALITIES)
_CAPTION = (
    "Against real samples that neither row holds. The floor is what data score themselves: no generator can be "
    "expected to do better. Scales belong to the features; compare rows of one digest only."
)


class Fidelity:
    """Batches are of generated samples."""

    def map(self, subject: Subject, batch: Data, params: FidelityParams) -> Mapping[str, Tensor]:
        """Their features, by model."""
        return {
            f"features/{place}": features(model.module, batch.x, device=subject.device)
            for place, model in enumerate(subject.models)
        }

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: FidelityParams) -> Findings:
        """Two lines a model: the samples, and the floor."""
        chosen = thirds(len(subject.walked), len(subject.data), params.samples)
        lines: list[tuple[Value, ...]] = []
        metrics: list[dict[str, float]] = []
        notes: list[str] = []
        for place, model in enumerate(subject.models):
            known = subject.data.x
            real, other = (_of(model, subject, known[part]) for part in (chosen.real, chosen.other))
            scores = _scores(real, rows[f"features/{place}"][chosen.drawn], params)
            floor = _scores(real, other, params)
            size = real.shape[1]
            head = (model.label, model.digest[:12], size)
            lines += [(*head, "generated", *scores.values()), (*head, "real (the floor)", *floor.values())]
            metrics.append(scores | {f"{name}_floor": value for name, value in floor.items()})
            notes += _doubts(model.label, chosen.size, size)
        shares = frozenset({"precision", "recall", "coverage"})
        return Findings(
            metrics=metrics_by_label([model.label for model in subject.models], metrics),
            tables={"Fidelity": Table(_COLUMNS, tuple(lines), _CAPTION, Look(shares=shares))},
            notes=[f"{chosen.size:,} samples of each kind.", *notes],
        )


def _of(model: SubjectModel, subject: Subject, x: Tensor) -> Tensor:
    return features(model.module, x, device=subject.device)


def _scores(real: Tensor, drawn: Tensor, params: FidelityParams) -> dict[str, float]:
    """All six by name, in the order of the columns."""
    overlap = asdict(manifold(real, drawn, params.neighbours))
    distances = {"frechet": frechet(real, drawn), "kernel": kernel(real, drawn)}
    return distances | {name: overlap[name] for name in _QUALITIES}


def _doubts(label: str, count: int, size: int) -> list[str]:
    if count > 2 * size:
        return []
    few = f"{label}: {count:,} samples are few for a covariance of {size} features"
    return [f"{few}; the Frechet distance is too large then, for the floor as well."]
