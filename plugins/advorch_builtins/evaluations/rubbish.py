"""Rubbish class examples: Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", section 8.

Noise belongs to no class, so that a model errs when it is sure of one. An attack that starts at the noise and aims at a
class asks for more: whether any rubbish can be made to look like any class.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import attacker
from advorch.kit.evaluation.figures import accuracy_bars, is_image
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_explaining import RubbishParams

_COLUMNS = (
    "model", "input", "errors", "low", "high", "confidence on errors", "mean confidence", "commonest class",
    "its share", "target reached", "inputs",
)  # fmt: skip


class Rubbish:
    """Batches are of clean samples, each of which lends its id and its shape to one input of every kind."""

    def map(self, subject: Subject, batch: Data, params: RubbishParams) -> Mapping[str, Tensor]:
        """By model and kind of input: the class that the model sees, its probability, and whether it was aimed at."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            for name, x, goals in _inputs(subject, model, batch, params):
                with torch.no_grad():
                    confidence, label = model.module(x).float().softmax(1).max(1)
                rows |= {f"confidence/{name}/{place}": confidence, f"label/{name}/{place}": label}
                rows |= {} if goals is None else {f"reached/{name}/{place}": label == goals}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: RubbishParams) -> Findings:
        """Error rates with intervals, and a few inputs with what the models see in them."""
        labels, kinds = [model.label for model in subject.models], _kinds(params)
        metrics = [_metrics(rows, kinds, place, params.threshold) for place in range(len(labels))]
        pictured = is_image(subject.data.x.shape[1:])
        return Findings(
            metrics=metrics_by_label(labels, metrics),
            tables={"Rubbish": _table(subject, rows, kinds, params.threshold)},
            figures={"Inputs of no class that are taken for one": partial(_bars, labels, rows, kinds, params.threshold)}
            | ({"What the models see in noise": partial(_pictures, subject, params)} if pictured else {}),
            notes=_notes(params),
        )


def _kinds(params: RubbishParams) -> list[str]:
    attacked = [f"{kind} + {params.attack.uses}" for kind in params.noise] if params.attack else []
    return [*params.noise, *attacked]


def _noise(subject: Subject, kind: str, batch: Data, params: RubbishParams) -> Data:
    """One draw a sample, by its id: uniform in the box, or normal, whatever the box."""
    rng, shape = Draws(subject.seed, batch.ids).fork(f"rubbish {kind}"), batch.x.shape[1:]
    if kind == "normal":
        drawn = params.mean + params.deviation * rng.normal(shape, like=batch.x)
        return replace(batch, x=drawn, box=None)
    return replace(batch, x=rng.uniform(shape, *shown_box(subject.data.box, subject.data.x), like=batch.x))


def _inputs(
    subject: Subject, model: SubjectModel, batch: Data, params: RubbishParams
) -> Iterator[tuple[str, Tensor, Tensor | None]]:
    """Each kind of noise as it is, and after the attack."""
    drawn = {kind: _noise(subject, kind, batch, params) for kind in params.noise}
    for kind, noise in drawn.items():
        yield kind, noise.x, None
    if params.attack is None:
        return
    attack = attacker(subject, params.attack)
    if not attack.targeted:
        hint = "give it `targeted: true`: noise has no label to be led away from"
        raise StageFailed(f"{attack.label} aims at no class", error_class=ErrorClass.USER, hint=hint)
    for kind, noise in drawn.items():
        with torch.no_grad():
            seen = replace(noise, y=model.module(noise.x).argmax(1))  # rubbish has no label: another than is seen
        goals = attack.goals(seen)
        yield f"{kind} + {params.attack.uses}", replace(attack, box=noise.box).perturb(model, seen, goals), goals


def _errors(rows: Mapping[str, Tensor], kind: str, place: int, threshold: float) -> Proportion:
    return proportion(rows[f"confidence/{kind}/{place}"] > threshold)


def _metrics(rows: Mapping[str, Tensor], kinds: Sequence[str], place: int, threshold: float) -> dict[str, float]:
    """Of the first kind of noise."""
    confidence = rows[f"confidence/{kinds[0]}/{place}"].double()
    wrong = confidence > threshold
    found = {"rubbish_error": float(wrong.double().mean())}
    return found | ({"rubbish_confidence": float(confidence[wrong].mean())} if wrong.any() else {})


def _table(subject: Subject, rows: Mapping[str, Tensor], kinds: Sequence[str], threshold: float) -> Table:
    found = tuple(
        (model.label, kind, *_row(rows, kind, place, threshold, subject.data.classes))
        for place, model in enumerate(subject.models)
        for kind in kinds
    )
    shares = frozenset(
        {"errors", "low", "high", "confidence on errors", "mean confidence", "its share", "target reached"}
    )
    caption = (
        f"An error is a class at a probability above {threshold:g}; confidence is the probability of the likeliest "
        "class, on the errors and on all inputs."
    )
    look = Look(shares=shares, intervals=(("errors", "low", "high"),), usual=(("target reached", None),))
    return Table(_COLUMNS, found, caption, look)


def _row(
    rows: Mapping[str, Tensor], kind: str, place: int, threshold: float, classes: Sequence[str]
) -> tuple[Value, ...]:
    confidence, label = rows[f"confidence/{kind}/{place}"].double(), rows[f"label/{kind}/{place}"]
    errors, wrong = _errors(rows, kind, place, threshold), confidence > threshold
    counts = torch.bincount(label, minlength=len(classes))
    reached = rows.get(f"reached/{kind}/{place}")
    bounds = errors.interval()
    return (
        errors.value, bounds.low, bounds.high, float(confidence[wrong].mean()) if wrong.any() else None,
        float(confidence.mean()), classes[int(counts.argmax())], float(counts.max() / counts.sum()),
        None if reached is None else float(reached.double().mean()), errors.total,
    )  # fmt: skip


def _bars(labels: Sequence[str], rows: Mapping[str, Tensor], kinds: Sequence[str], threshold: float) -> bytes:
    series = {label: [_errors(rows, kind, place, threshold) for kind in kinds] for place, label in enumerate(labels)}
    return accuracy_bars(list(kinds), series, "input", height="inputs taken for a class")


def _pictures(subject: Subject, params: RubbishParams) -> bytes:
    """A row a model and kind; the frame says that the model is sure of a class."""
    batch = subject.data.take(slice(params.shown)).to(subject.device)
    box = shown_box(subject.data.box, subject.data.x)
    rows: dict[str, list[Tile]] = {}
    for model in subject.models:
        for name, x, _ in _inputs(subject, model, batch, params):
            with torch.no_grad():
                confidence, label = model.module(x).float().softmax(1).max(1)
            rows[f"{model.label}\n{name}"] = [
                Tile(
                    image=unit(image.cpu(), box),
                    caption=f"{subject.data.classes[int(seen)]} ({100 * float(sure):.0f}%)",
                    wrong=float(sure) > params.threshold,
                )
                for image, seen, sure in zip(x, label, confidence, strict=True)
            ]
    return tile_grid(rows, side=1.0)


def _notes(params: RubbishParams) -> list[str]:
    notes = ["A heavy frame and a cross mark inputs that the model takes for a class."]
    if "normal" in params.noise:
        notes.append(
            f"Normal noise has mean {params.mean:g} and deviation {params.deviation:g} and leaves the box; "
            "its images are drawn cut."
        )
    return notes
