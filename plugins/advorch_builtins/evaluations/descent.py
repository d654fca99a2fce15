"""Attacks followed step by step: what they do to the loss of the label and of the target, and where they end."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import Attacker, attacker, class_named, name_attackers
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, metrics_by_label
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.trace import trace
from advorch_builtins.evaluations import descent_figures, descent_tables
from advorch_builtins.evaluations.catalog_ascents import DescentParams
from advorch_builtins.evaluations.descent_tables import Path


class Descent:
    """Batches are of clean samples; every model is attacked by every attack, all steps of it."""

    def map(self, subject: Subject, batch: Data, params: DescentParams) -> Mapping[str, Tensor]:
        """By model and attack, a column a step: both losses, the label's probability, and whether it is right; beside
        them whether the first model is right where no attack has begun.
        """
        rows: dict[str, Tensor] = {"right": subject.models[0].predict(batch.x) == batch.y}
        for place, model in enumerate(subject.models):
            for number, attack in enumerate(_attackers(subject, params)):
                goals = attack.goals(batch, class_named(subject, params.target))
                said = trace(attack, model, batch, goals, params.length)
                found = _columns(said, batch.y, goals)
                rows |= {f"{name}/{place}/{number}": column for name, column in found.items()}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: DescentParams) -> Findings:
        """Means over samples by step, and the first samples as they end."""
        attacks = _attackers(subject, params)
        paths = [
            Path.of(rows, model.label, name, (place, number), targeted=attacks[number].targeted)
            for place, model in enumerate(subject.models)
            for number, name in enumerate(name_attackers(attacks))
        ]
        ends = descent_tables.ends(subject, attacks, params, _shown(rows["right"], params.shown))
        figures = descent_figures.figures(paths, len(subject.data))
        if is_image(subject.data.x.shape[1:]):
            for model in subject.models:
                own = [end for end in ends if end.model == model.label]
                figures[f"Where the attacks end: {model.label}"] = partial(
                    descent_figures.pictures, own, params.zoom, subject.data
                )
        return Findings(
            metrics=_metrics(paths, len(subject.models)),
            tables={
                "Loss by step": descent_tables.by_step(paths, params.every),
                "Probabilities at the end": descent_tables.probabilities(ends, subject.data.classes, params.top),
            },
            figures=figures,
            notes=[
                f"Means over {len(subject.data):,} samples; every step is gone, whether a sample is fooled or not.",
                f"Shown are the first samples that {subject.models[0].label} gets right.",
            ],
        )


def _shown(right: Tensor, count: int) -> list[int]:
    """The first samples that the first model gets right; if there are none, the first."""
    return [int(row) for row in (right if right.any() else torch.ones_like(right)).nonzero().flatten()[:count]]


def _attackers(subject: Subject, params: DescentParams) -> list[Attacker]:
    return [attacker(subject, ref) for ref in params.attacks]


def _columns(said: Tensor, y: Tensor, goals: Tensor) -> dict[str, Tensor]:
    """From logits by sample and step."""
    flat, steps = said.flatten(0, 1), said.shape[1]
    labels, targets = (each.repeat_interleave(steps) for each in (y, goals))
    columns = {
        "loss": cross_entropy(flat, labels),
        "goal": cross_entropy(flat, targets),
        "probability": flat.softmax(1).gather(1, labels[:, None])[:, 0],
        "right": flat.argmax(1).eq(labels),
        "reached": flat.argmax(1).eq(targets),
    }
    return {name: column.view(-1, steps) for name, column in columns.items()}


def _metrics(paths: list[Path], models: int) -> dict[str, float]:
    """Of the last step; plain names where there is one model and one attack."""
    labels = [path.attack if models == 1 else f"{path.model} {path.attack}" for path in paths]
    return metrics_by_label(labels, [path.last() for path in paths])
