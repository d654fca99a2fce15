"""Perturbed hidden layers: Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", section 7.

One step along the sign of the gradient, taken at what a layer says instead of at the input. Sizes relative to the
layer can be compared between layers and models: units without a bound are otherwise robust by being large.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from advorch.kit.attack.hidden import activations, hidden_layer, shifted, strength, worst_shift
from advorch.kit.attack.traceless import untouched
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, accuracy_curve, curves
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_hidden import HiddenParams
from advorch_builtins.evaluations.crossing import names_of

_LIMITS = (
    "One gradient step is no strongest attack. The output itself is refused: whoever moves the logits fools any model. "
    "What follows the last hidden layer is linear, so that training can teach it no resistance."
)
_WEAK = 1e-12  # of a layer that says nothing at all


class Hidden:
    """Batches are of clean samples; what is perturbed is no input, so no adversarial set comes of it."""

    def map(self, subject: Subject, batch: Data, params: HiddenParams) -> Mapping[str, Tensor]:
        """Which samples each model gets right, clean and by layer for every size."""
        rows = {}
        for place, model in enumerate(subject.models):
            rows[f"clean/{place}"] = model.predict(batch.x) == batch.y
            for layer in layers_of(subject, model, params):
                rows[f"right/{place}/{layer}"] = _right(model, layer, batch, params)
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: HiddenParams) -> Findings:
        """Accuracies by model, layer and size."""
        names = names_of(subject, params.names)
        found = {
            (place, layer): [proportion(column) for column in rows[f"right/{place}/{layer}"].unbind(1)]
            for place, model in enumerate(subject.models)
            for layer in layers_of(subject, model, params)
        }
        clean = [proportion(rows[f"clean/{place}"]) for place in range(len(names))]
        unit = "of the layer's root mean square" if params.relative else "in the layer's own units"
        panels = {
            names[place]: {
                _spelled(model, layer): accuracy_curve(params.epsilons, shares)
                for (owner, layer), shares in found.items()
                if owner == place
            }
            for place, model in enumerate(subject.models)
        }
        shown = {name: panel for name, panel in panels.items() if panel}
        layers = {layer for panel in shown.values() for layer in panel}
        at = f" at {next(iter(layers))}" if len(layers) == 1 else ""
        figure = partial(curves, shown, Axis(label=f"epsilon{at}, {unit}"), Axis(label="accuracy", share=True))
        return Findings(
            metrics=_metrics(subject, clean, found),
            tables={"Perturbed layers": _table(names, clean, found, params, unit)},
            figures={"Accuracy by size": figure} if shown else {},
            notes=_notes(names, found),
        )


def layers_of(subject: Subject, model: SubjectModel, params: HiddenParams) -> Sequence[str]:
    """Those named, all of which the model must have, else its activation functions."""
    return params.layers or activations(model.module, subject.data.x[:1].to(subject.device))


def _spelled(model: SubjectModel, layer: str) -> str:
    """The layer's name, which in a row of layers is a number, and what it is."""
    return f"layer {layer} ({type(hidden_layer(model.module, layer)).__name__})"


def _right(model: SubjectModel, layer: str, batch: Data, params: HiddenParams) -> Tensor:
    """One column a size. The direction is that of the sample as it is, for all sizes."""
    module = model.module
    with untouched(module):
        corner = worst_shift(module, layer, batch.x, batch.y, 1.0)
        size = strength(module, layer, batch.x) if params.relative else torch.ones(len(batch), dtype=torch.float64)
        columns = []
        for epsilon in params.epsilons:
            radius = (epsilon * size.to(corner.device).clamp(min=_WEAK)).to(corner.dtype)
            with torch.no_grad(), shifted(module, layer, corner * radius.view(-1, *[1] * (corner.dim() - 1))):
                columns.append(module(batch.x).argmax(1) == batch.y)
    return torch.stack(columns, 1)


def _table(
    names: Sequence[str],
    clean: Sequence[Proportion],
    found: Mapping[tuple[int, str], Sequence[Proportion]],
    params: HiddenParams,
    unit: str,
) -> Table:
    rows: list[tuple[Value, ...]] = []
    for place, name in enumerate(names):
        rows.append((name, "none", None, *clean[place].bounded))
        for (owner, layer), shares in found.items():
            if owner == place:
                sizes = zip(params.epsilons, shares, strict=True)
                rows += [(name, layer, epsilon, *share.bounded) for epsilon, share in sizes]
    look = Look(shares=frozenset({"accuracy", "low", "high"}), intervals=(("accuracy", "low", "high"),))
    caption = f"Epsilon is in linf, {unit}; the step goes along the sign of the gradient at the layer."
    return Table(("model", "layer", "epsilon", "accuracy", "low", "high"), tuple(rows), caption, look)


def _metrics(
    subject: Subject, clean: Sequence[Proportion], found: Mapping[tuple[int, str], Sequence[Proportion]]
) -> dict[str, float]:
    """The lowest accuracy over layers and sizes; of several models under each one's name."""
    result = []
    for place, share in enumerate(clean):
        lowest = [share.value for (owner, _), shares in found.items() if owner == place for share in shares]
        result.append({"clean_accuracy": share.value} | ({"hidden_accuracy": min(lowest)} if lowest else {}))
    return metrics_by_label([model.label for model in subject.models], result)


def _notes(names: Sequence[str], found: Mapping[tuple[int, str], Sequence[Proportion]]) -> list[str]:
    known = {place for place, _ in found}
    bare = [name for place, name in enumerate(names) if place not in known]
    notes = [_LIMITS]
    return [*notes, f"Without an activation function, so without a hidden layer: {', '.join(bare)}."] if bare else notes
