"""What the evaluations of fitted perturbations share: who is paired with whom, and how metrics are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import metrics_by_label
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.kit.perturbation.applying import apply, check_samples
from advorch.kit.perturbation.fitted import Fitted, Kind, check_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One perturbation on one model, under names that no other pair has."""

    fitted: Fitted
    name: str
    model: SubjectModel
    key: str

    @property
    def own(self) -> bool:
        """Whether it was fitted against this model."""
        return self.fitted.model == self.model.digest

    @property
    def title(self) -> str:
        """For tables and figures."""
        return self.name if self.own else f"{self.name}, shown to {self.model.label}"


def pairs(subject: Subject, *kinds: Kind) -> list[Pair]:
    """Every perturbation with every model, perturbations first."""
    if not subject.perturbations:
        message = "there is no perturbation to evaluate"
        raise StageFailed(
            message, error_class=ErrorClass.USER, hint="connect `in: {perturbations: STAGE.perturbation}`"
        )
    for fitted in subject.perturbations:
        check_samples(check_kind(fitted, *kinds), tuple(subject.data.x.shape[1:]))
    names = labels(subject.perturbations)
    return [
        Pair(fitted=fitted, name=name, model=model, key=f"{place}.{number}")
        for place, (fitted, name) in enumerate(zip(subject.perturbations, names, strict=True))
        for number, model in enumerate(subject.models)
    ]


def labels(fitted: Sequence[Fitted]) -> list[str]:
    """Names; of several alike also the settings in which they differ, or a number."""
    told = [f"{one.name}{_difference(one, [other for other in fitted if other.name == one.name])}" for one in fitted]
    return [
        f"{name} ({told[:place].count(name) + 1})" if told.count(name) > 1 else name for place, name in enumerate(told)
    ]


def _difference(one: Fitted, alike: Sequence[Fitted]) -> str:
    names = sorted({name for other in alike for name in other.settings} - {"checkpoint_every"})
    telling = [name for name in names if len({str(other.settings.get(name)) for other in alike}) > 1]
    return "".join(f", {name} {one.settings.get(name)}" for name in telling)


def worn(subject: Subject, fitted: Fitted, batch: Data) -> Tensor:
    """Samples with the perturbation on them."""
    return apply(fitted.print, batch.x, Draws(subject.seed, batch.ids).fork("worn"), batch.box)


def true_labels(fitted: Fitted, y: Tensor) -> Tensor:
    """Of a texture that of its surface, whatever the samples are."""
    return torch.full_like(y, int(str(fitted.print.how["label"]))) if "label" in fitted.print.how else y


def named_metrics(found: Sequence[tuple[Pair, Mapping[str, float]]]) -> dict[str, float]:
    """Of several pairs each under its perturbation's and its model's name."""
    return metrics_by_label([f"{pair.name} on {pair.model.label}" for pair, _ in found], [own for _, own in found])


@torch.no_grad()
def probabilities(model: SubjectModel, x: Tensor) -> Tensor:
    """By class."""
    found: Tensor = model.module(x).softmax(1)
    return found
