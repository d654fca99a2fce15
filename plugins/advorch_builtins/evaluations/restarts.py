"""Restarts: Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards deep learning models resistant to adversarial
attacks", ICLR 2018, section 3 and figures 1 and 5.

Ascents from random places in the ball of one sample, each until its loss no longer grows. The paper's finding is that
their final losses are concentrated, more so on a robust net, although the maxima are many: end points are far apart,
at wide angles, and the loss on the straight way from one to another dips below both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.restart_figures import Ascents, between, final_losses, loss_curves
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_measured import RestartsParams
from advorch_builtins.evaluations.restart_runs import rows_of

_DIP = 0.05  # two maxima are distinct if the loss between them falls by so much of the lower of the two


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One model: a row for each sample, in it a number for each ascent or each pair."""

    model: SubjectModel
    rows: Mapping[str, Tensor]

    @property
    def loss(self) -> Tensor:
        """The highest loss of each ascent."""
        return self.rows["loss"]

    @property
    def dip(self) -> Tensor:
        """How far the loss falls on the way, as a share of the lower end."""
        segment = self.rows["segment"]
        ends = torch.minimum(segment[..., 0], segment[..., -1])
        return 1 - segment.amin(-1) / ends.clamp(min=1e-12)

    @property
    def distinct(self) -> Tensor:
        """Pairs with a valley between them."""
        return self.dip > _DIP


class Restarts:
    """Every sample that it is given gets all restarts: give it few."""

    def map(self, subject: Subject, batch: Data, params: RestartsParams) -> Mapping[str, Tensor]:
        """All ascents of each sample, alone."""
        samples = [batch.take(slice(row, row + 1)) for row in range(len(batch))]
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            found = [rows_of(subject, model, sample, params) for sample in samples]
            rows |= {f"{name}/{place}": torch.stack([each[name] for each in found]) for name in found[0]}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: RestartsParams) -> Findings:
        """How concentrated the losses are, and whether the maxima are the same."""
        found = [Found(model=model, rows=_of_model(rows, place)) for place, model in enumerate(subject.models)]
        drawn = [_ascents(each, subject.data, params.examples) for each in found]
        return Findings(
            metrics=_metrics(found, params),
            tables={"Restarts": _summary(found, params), "Samples": _samples(found, subject.data, params)},
            figures={
                "Loss curves": partial(loss_curves, drawn),
                "Final losses": partial(final_losses, drawn),
                "Between maxima": partial(between, drawn),
            },
            notes=_notes(params),
        )


def _of_model(rows: Mapping[str, Tensor], place: int) -> dict[str, Tensor]:
    end = f"/{place}"
    return {name.removesuffix(end): values for name, values in rows.items() if name.endswith(end)}


def _ascents(found: Found, data: Data, examples: int) -> Ascents:
    count = min(examples, len(data))
    return Ascents(
        model=found.model.label,
        titles=tuple(f"{data.classes[int(data.y[row])]} (id {int(data.ids[row])})" for row in range(count)),
        curves=found.rows["curve"][:count],
        losses=found.loss[:count],
        segments=found.rows["segment"].flatten(0, 1),
        angles=found.rows["angle"].flatten(),
    )


def _numbers(found: Found, params: RestartsParams) -> dict[str, float]:
    """Means over samples of what each sample's ascents say."""
    loss = found.loss
    middle = loss.mean(1)
    return {
        "loss_mean": float(middle.mean()),
        "loss_deviation": float((loss.std(1, correction=0) / middle.clamp(min=1e-12)).mean()),
        "loss_range": float(((loss.amax(1) - loss.amin(1)) / middle.clamp(min=1e-12)).mean()),
        "distinct": float(found.distinct.double().mean()),
        "angle": float(found.rows["angle"].mean()),
        "distance": float(found.rows["distance"].mean()),
        "plateau": float((found.rows["stopped"] <= params.steps).double().mean()),
    }


def _metrics(found: Sequence[Found], params: RestartsParams) -> dict[str, float]:
    return metrics_by_label([each.model.label for each in found], [_numbers(each, params) for each in found])


def _summary(found: Sequence[Found], params: RestartsParams) -> Table:
    columns = (
        "model", "mean loss", "deviation", "range", "angle", "distance", "distinct", "on a plateau", "samples",
        "restarts",
    )  # fmt: skip
    rows = tuple((each.model.label, *_numbers_in_order(each, params), *each.loss.shape) for each in found)
    caption = (
        "Means over samples. Deviation and range are of the final losses of one sample, over their mean. Of pairs of "
        "maxima: the angle between the two changes in degrees, their distance over their mean length (0 for the same, "
        f"1.41 at right angles), and the share with a valley between them, at least {_DIP:.0%} of the lower maximum "
        "deep. On a plateau are ascents that had stopped to grow before they ran out of steps."
    )
    return Table(columns, rows, caption, Look(shares=frozenset({"deviation", "range", "distinct", "on a plateau"})))


def _numbers_in_order(found: Found, params: RestartsParams) -> tuple[Value, ...]:
    numbers = _numbers(found, params)
    order = ("loss_mean", "loss_deviation", "loss_range", "angle", "distance", "distinct", "plateau")
    return tuple(numbers[name] for name in order)


def _samples(found: Sequence[Found], data: Data, params: RestartsParams) -> Table:
    columns = ("model", "sample", "class", "lowest", "median", "highest", "restarts that fool", "distinct", "angle")
    rows = tuple(
        (
            each.model.label,
            int(data.ids[row]),
            data.classes[int(data.y[row])],
            float(each.loss[row].min()),
            float(each.loss[row].quantile(0.5)),
            float(each.loss[row].max()),
            float(each.rows["fooled"][row].double().mean()),
            float(each.distinct[row].double().mean()),
            float(each.rows["angle"][row].mean()),
        )
        for each in found
        for row in range(min(params.examples, len(data)))
    )
    caption = "Final losses of each sample's ascents, and how many of them ended at another label."
    return Table(columns, rows, caption, Look(shares=frozenset({"restarts that fool", "distinct"})))


def _notes(params: RestartsParams) -> list[str]:
    alpha = params.epsilon / 20 if params.alpha is None else params.alpha
    how = (
        f"{params.restarts:,} ascents a sample in the {params.norm} ball of {params.epsilon:g}, at most {params.steps} "
        f"steps of {alpha:.3g}; one stops after {params.patience} steps without a gain of {params.tolerance:.1%}. "
        f"Maxima are compared in pairs among the first {min(params.maxima, params.restarts)}."
    )
    return [how]
