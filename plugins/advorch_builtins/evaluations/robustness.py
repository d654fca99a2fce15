"""Accuracy of models, clean and under attack; an attack's own verdict is compared with, and never relied on."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, tail, worst_class
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations import robustness_card, robustness_figures, robustness_tables
from advorch_builtins.evaluations.catalog import RobustnessParams
from advorch_builtins.evaluations.robustness_notes import notes
from advorch_builtins.evaluations.verdicts import Standing, judge, standings, worst_of


class Robustness:
    """Batches are of clean samples; adversarial ones are found by their ids."""

    def map(self, subject: Subject, batch: Data, params: RobustnessParams) -> Mapping[str, Tensor]:
        """Every model's prediction on each sample, clean and as each set has it."""
        return judge(subject, batch)

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: RobustnessParams) -> Findings:
        """Accuracies with intervals, the worst cases, and what they leave open."""
        found, card = standings(subject, rows), robustness_card.read(subject.tables.get("sanity"))
        return Findings(
            metrics=_metrics(found),
            tables=robustness_tables.tables(found, subject.data.classes) | robustness_card.tables(card),
            figures=robustness_figures.figures(found, subject.data, params.examples),
            notes=[*robustness_card.verdicts(card), *notes(found, subject.adversarials, len(subject.data))],
        )


def _metrics(found: Sequence[Standing]) -> dict[str, float]:
    return metrics_by_label([standing.model.label for standing in found], [_of_model(standing) for standing in found])


def _of_model(standing: Standing) -> dict[str, float]:
    metrics = {"clean_accuracy": float(standing.correct.double().mean())}
    metrics |= _worst("worst_class_accuracy", standing.by_class(standing.correct, standing.everywhere))
    if not standing.own:
        return metrics
    metrics |= {"violations": float(sum(duel.outside for duel in standing.own))} | _distance(standing)
    worst = worst_of(standing.own)
    if worst is None:
        return metrics
    classes = standing.by_class(worst.withstood, worst.covered)
    metrics |= _worst("worst_class_robust_accuracy", classes)
    accuracy = {"robust_accuracy": worst.accuracy.value, "attacked": float(worst.accuracy.total)}
    return metrics | accuracy | {"tail_robust_accuracy": tail(classes)}


def _worst(name: str, classes: Sequence[Proportion]) -> dict[str, float]:
    weakest = worst_class(classes)
    return {} if weakest is None else {name: classes[weakest].value}


def _distance(standing: Standing) -> dict[str, float]:
    """The mean over what fooled; of several norms there is no mean."""
    norms = {duel.set.norm for duel in standing.own}
    lengths = torch.cat([duel.distance[standing.fooled_by(duel)] for duel in standing.own])
    return {"mean_distance": float(lengths.mean())} if len(norms) == 1 and len(lengths) else {}
