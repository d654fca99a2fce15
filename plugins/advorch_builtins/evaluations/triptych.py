"""Figure 1 of Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples" (ICLR 2015).

x, sign(grad J(x, y)) and x + epsilon sign(grad J(x, y)), each shown to the model. The sign is an image too: minus one
is the lower end of the box and one the upper.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.panels import Tile, formula, shown_box, unit
from advorch.kit.evaluation.statistics import proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_explaining import TriptychParams

_PARTS = ("clean", "sign", "adversarial")
_COLUMNS = ("model", "samples", "fooled", "low", "high", *(f"confidence in {part}" for part in _PARTS))
_CAPTION = (
    "Fooled: wrong after the step, of those that were right before; confidences are means over these: the probability "
    "of the class that the model sees in each of the three images."
)
_SHOWN = ("model", "sample", "true class", *(f"{part} {what}" for part in _PARTS for what in ("label", "confidence")))


class Parts(NamedTuple):
    """The three images of each sample."""

    clean: Tensor
    sign: Tensor
    adversarial: Tensor


class Triptych:
    """Batches are of clean samples; every model takes one step on each."""

    def map(self, subject: Subject, batch: Data, params: TriptychParams) -> Mapping[str, Tensor]:
        """By model and image: the label that the model sees, and its probability."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            for name, image in _parts(model, batch, params.epsilon)._asdict().items():
                confidence, label = _seen(model, image)
                rows |= {f"{name} label/{place}": label, f"{name} confidence/{place}": confidence}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: TriptychParams) -> Findings:
        """How many are fooled, and the triptych of a few."""
        labels = [model.label for model in subject.models]
        chosen = {place: _choose(subject.data.y, rows, place, params) for place in range(len(labels))}
        metrics = [_metrics(subject.data.y, rows, place) for place in range(len(labels))]
        return Findings(
            metrics=metrics_by_label(labels, metrics),
            tables={"Summary": _summary(subject, rows), "Shown": _shown(subject, rows, chosen)},
            figures={
                f"Triptych: {model.label}": partial(_draw, subject, place, rows, chosen[place], params.epsilon)
                for place, model in enumerate(subject.models)
                if is_image(subject.data.x.shape[1:]) and len(chosen[place])
            },
            notes=_notes(subject, chosen, params),
        )


def _parts(model: SubjectModel, batch: Data, epsilon: float) -> Parts:
    victim = Victim(model.module, box=batch.box, norm=Norm.LINF, epsilon=epsilon, access=model.access)
    with untouched(model.module):
        sign = victim.gradient(batch.x, batch.y).sign()
    low, high = shown_box(batch.box, batch.x)
    ball = victim.ball(batch.x)
    return Parts(batch.x, low + (high - low) * (0.5 + 0.5 * sign), ball.project(batch.x + epsilon * sign))


@torch.no_grad()
def _seen(model: SubjectModel, x: Tensor) -> tuple[Tensor, Tensor]:
    confidence, label = model.module(x).float().softmax(1).max(1)
    return confidence, label


def _choose(y: Tensor, rows: Mapping[str, Tensor], place: int, params: TriptychParams) -> list[int]:
    right, wrong = rows[f"clean label/{place}"] == y, rows[f"adversarial label/{place}"] != y
    wanted = right & wrong if params.choose == "fooled" else torch.ones_like(right)
    return [int(index) for index in wanted.nonzero().flatten()[: params.rows]]


def _metrics(y: Tensor, rows: Mapping[str, Tensor], place: int) -> dict[str, float]:
    """Over the samples that were right before; of none there is nothing to say."""
    right = rows[f"clean label/{place}"] == y
    if not right.any():
        return {}
    wrong = rows[f"adversarial label/{place}"][right] != y[right]
    confidences = {f"{part}_confidence": rows[f"{part} confidence/{place}"][right] for part in _PARTS}
    return {"fooled_rate": float(wrong.double().mean())} | {
        name: float(values.double().mean()) for name, values in confidences.items()
    }


def _summary(subject: Subject, rows: Mapping[str, Tensor]) -> Table:
    found: list[tuple[Value, ...]] = []
    for place, model in enumerate(subject.models):
        right = rows[f"clean label/{place}"] == subject.data.y
        fooled = proportion((rows[f"adversarial label/{place}"] != subject.data.y)[right])
        metrics, bounds = _metrics(subject.data.y, rows, place), fooled.interval()
        means = [metrics.get(f"{part}_confidence") for part in _PARTS]
        found.append((model.label, fooled.total, metrics.get("fooled_rate"), bounds.low, bounds.high, *means))
    shares = frozenset({"fooled", "low", "high", *(f"confidence in {part}" for part in _PARTS)})
    return Table(_COLUMNS, tuple(found), _CAPTION, Look(shares=shares, intervals=(("fooled", "low", "high"),)))


def _shown(subject: Subject, rows: Mapping[str, Tensor], chosen: Mapping[int, Sequence[int]]) -> Table:
    data = subject.data
    found = tuple(
        (
            model.label, f"sample {int(data.ids[row])}", data.classes[int(data.y[row])],
            *(item for part in _PARTS for item in _verdict(rows, part, place, row, data.classes)),
        )
        for place, model in enumerate(subject.models)
        for row in chosen[place]
    )  # fmt: skip
    return Table(_SHOWN, found, look=Look(shares=frozenset(f"{part} confidence" for part in _PARTS)))


def _verdict(rows: Mapping[str, Tensor], part: str, place: int, row: int, classes: Sequence[str]) -> tuple[str, float]:
    return classes[int(rows[f"{part} label/{place}"][row])], float(rows[f"{part} confidence/{place}"][row])


def _is_wrong(rows: Mapping[str, Tensor], part: str, place: int, row: int, true: Tensor) -> bool:
    return bool(rows[f"{part} label/{place}"][row] != true)


def _draw(subject: Subject, place: int, rows: Mapping[str, Tensor], chosen: Sequence[int], epsilon: float) -> bytes:
    batch = subject.data.take(torch.tensor(chosen)).to(subject.device)
    box = shown_box(subject.data.box, subject.data.x)
    parts = _parts(subject.models[place], batch, epsilon)
    lines: list[list[Tile]] = []
    for number, row in enumerate(chosen):
        words = [_verdict(rows, part, place, row, subject.data.classes) for part in _PARTS]
        true = subject.data.y[row]
        wrong = [_is_wrong(rows, "clean", place, row, true), None, _is_wrong(rows, "adversarial", place, row, true)]
        lines.append(
            [
                Tile(image=unit(image[number], box), caption=f'"{label}"\n{100 * share:.1f}% confidence', wrong=bad)
                for image, (label, share), bad in zip(parts, words, wrong, strict=True)
            ]
        )
    names = ("$x$", r"sign$(\nabla_x J(x, y))$", rf"$x + {epsilon:.3g}\,$sign$(\nabla_x J)$")
    return formula(lines, (rf"$+\ {epsilon:.3g}\ \times$", "$=$"), names)


def _notes(subject: Subject, chosen: Mapping[int, Sequence[int]], params: TriptychParams) -> list[str]:
    notes = ["The middle image is shown to the model as it is drawn: -1 black, +1 white, over the whole box."]
    if params.choose == "fooled":
        notes.append("Shown are the first samples that the step fools; the table tells how many it does not.")
    none = [model.label for place, model in enumerate(subject.models) if not chosen[place]]
    return [*notes, *(f"{label}: no sample is right before and wrong after the step." for label in none)]
