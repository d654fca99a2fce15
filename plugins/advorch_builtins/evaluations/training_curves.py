"""What trainings recorded after each epoch, beside how their models do on data that none of them saw."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_training import TrainingCurvesParams

_FIRST = ("loss", "accuracy", "clean_accuracy", "robust_accuracy", "worst_class_accuracy")
_CAPTION = (
    "Accuracy is that of the weights handed over, on the data of this evaluation, with its 95% interval (Wilson). "
    "Last, smallest and largest are of the curve, which is the mean over the models of one label; beside the last "
    "value stands its range over them."
)
_NOTE = "Of several models of one label the line is their mean, and the band reaches from the smallest to the largest."


@dataclass(frozen=True, slots=True)
class Family:
    """Models of one label."""

    name: str
    histories: tuple[Sequence[Mapping[str, float]], ...]
    accuracy: Proportion

    @property
    def epochs(self) -> int:
        """Of the longest training."""
        return max(map(len, self.histories))

    def curve(self, metric: str) -> Curve | None:
        """By epoch over the models that have the metric there."""
        found = {epoch: values for epoch in range(self.epochs) if (values := self.at(metric, epoch))}
        if not found:
            return None
        bounds = [(min(values), max(values)) for values in found.values()] if len(self.histories) > 1 else []
        return Curve(
            x=[epoch + 1.0 for epoch in found],
            y=[math.fsum(values) / len(values) for values in found.values()],
            low=[low for low, _ in bounds],
            high=[high for _, high in bounds],
        )

    def at(self, metric: str, epoch: int) -> list[float]:
        """One value a model that was trained as long."""
        rows = [history[epoch] for history in self.histories if epoch < len(history)]
        return [row[metric] for row in rows if metric in row]


class TrainingCurves:
    """Batches are of samples that the finished models are judged on."""

    def map(self, subject: Subject, batch: Data, params: TrainingCurvesParams) -> Mapping[str, Tensor]:
        """Which samples each model gets right."""
        return {f"right/{place}": model.predict(batch.x) == batch.y for place, model in enumerate(subject.models)}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: TrainingCurvesParams) -> Findings:
        """A figure for each metric, with a line for each label."""
        families, metrics = families_of(subject, rows), recorded(subject.models, params)
        bare = [model.label for model in subject.models if not model.history]
        return Findings(
            metrics=_metrics(subject.models, rows),
            tables={"Trainings": _summary(families, metrics), "By epoch": _by_epoch(families, metrics)},
            figures={f"{spelled(metric)} by epoch": partial(_figure, families, metric, params) for metric in metrics},
            notes=[
                *([_NOTE] if len(families) < len(subject.models) else []),
                *(f"{label} has no record of its training." for label in bare),
            ],
        )


def families_of(subject: Subject, rows: Mapping[str, Tensor]) -> list[Family]:
    """In the order in which the labels appear first."""
    places: dict[str, list[int]] = {}
    for place, model in enumerate(subject.models):
        places.setdefault(model.name, []).append(place)
    return [
        Family(
            name,
            tuple(subject.models[place].history for place in own),
            proportion(torch.cat([rows[f"right/{place}"] for place in own])),
        )
        for name, own in places.items()
    ]


def recorded(models: Sequence[SubjectModel], params: TrainingCurvesParams) -> list[str]:
    """The metrics that are asked for; an error where no training knows one of them."""
    known = {metric for model in models for epoch in model.history for metric in epoch}
    unknown = [metric for metric in (*params.metrics, *params.log) if metric not in known]
    if unknown and known:
        hint = f"recorded were: {', '.join(sorted(known))}"
        raise StageFailed(f"no training recorded '{unknown[0]}'", error_class=ErrorClass.USER, hint=hint)
    ordered = [*(metric for metric in _FIRST if metric in known), *sorted(known - set(_FIRST))]
    return [metric for metric in params.metrics or ordered if metric in known]


def spelled(metric: str) -> str:
    """A metric's name in a title."""
    return metric.replace("_", " ").capitalize()


def _metrics(models: Sequence[SubjectModel], rows: Mapping[str, Tensor]) -> dict[str, float]:
    found = [
        {"clean_accuracy": float(rows[f"right/{place}"].double().mean()), "epochs": float(len(model.history))}
        for place, model in enumerate(models)
    ]
    return metrics_by_label([model.label for model in models], found)


def _figure(families: Sequence[Family], metric: str, params: TrainingCurvesParams) -> bytes:
    panel = {family.name: curve for family in families if (curve := family.curve(metric))}
    height = Axis(
        label=spelled(metric).lower(),
        scale="log" if metric in params.log else "linear",
        share=metric.endswith("accuracy") and metric not in params.log,
    )
    return curves({metric: panel}, Axis(label="epoch", count=True), height)


def _summary(families: Sequence[Family], metrics: Sequence[str]) -> Table:
    columns = (
        "model", "models", "epochs", "accuracy", "low", "high", "metric", "last", "last low", "last high", "smallest",
        "at", "largest", "at epoch",
    )  # fmt: skip
    rows = tuple(row for family in families for row in _rows(family, metrics))
    look = Look(
        shares=frozenset({"accuracy", "low", "high"}),
        intervals=(("accuracy", "low", "high"), ("last", "last low", "last high")),
        usual=(("models", 1),),
    )
    return Table(columns, rows, _CAPTION, look)


def _rows(family: Family, metrics: Sequence[str]) -> list[tuple[Value, ...]]:
    head = (family.name, len(family.histories), family.epochs, *family.accuracy.bounded)
    found = [(metric, curve) for metric in metrics if (curve := family.curve(metric))]
    return [(*head, metric, *_ends(curve)) for metric, curve in found] or [(*head, *[None] * 8)]


def _ends(curve: Curve) -> tuple[Value, ...]:
    least, most = (curve.y.index(extreme(curve.y)) for extreme in (min, max))
    spread = (curve.low[-1], curve.high[-1]) if curve.low else (None, None)
    return (curve.y[-1], *spread, curve.y[least], int(curve.x[least]), curve.y[most], int(curve.x[most]))


def _by_epoch(families: Sequence[Family], metrics: Sequence[str]) -> Table:
    rows = tuple(
        (family.name, epoch + 1, *(_mean(family.at(metric, epoch)) for metric in metrics))
        for family in families
        for epoch in range(family.epochs)
    )
    return Table(("model", "epoch", *metrics), rows, "Means over the models of one label.", Look(folded=True))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
