"""Adversarial sets against models that they were made on, and against others: predictions sample by sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed, span
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.data import Data
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectSet, align
from advorch_builtins.evaluations.verdicts import check_origin, spread

_ABSENT = -1
GREY = 255  # values of a pixel of 8 bits, above the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One set against all models; the rows are the samples that it has and that every model gets right."""

    set: SubjectSet
    made_on: tuple[int, ...]
    y: Tensor
    predicted: Tensor
    change: Tensor
    target: Tensor | None

    def accuracy(self, model: int) -> Proportion:
        """Samples that the model still gets right."""
        return proportion(self.predicted[model] == self.y)

    def on_target(self, model: int) -> Proportion | None:
        """Samples of which the model says what the attack aimed at."""
        return None if self.target is None else proportion(self.predicted[model] == self.target)

    @property
    def change_mean(self) -> float | None:
        """The mean over samples of the root mean square change of a number."""
        return float(self.change.mean()) if len(self.change) else None


def cross(subject: Subject, batch: Data) -> dict[str, Tensor]:
    """Rows of one batch: what every model says of each sample that some set has, clean and as each set has it."""
    positions = [align(item.samples.ids, batch.ids.cpu()) for item in subject.adversarials]
    wanted = torch.stack([position >= 0 for position in positions]).any(0) if positions else batch.y.cpu() < 0
    rows = {}
    for place, model in enumerate(subject.models):
        said = model.predict(batch.x[wanted.to(batch.x.device)]) if wanted.any() else batch.y[:0]
        rows[f"clean/{place}"] = spread(said, wanted, _ABSENT)
    for number, (item, position) in enumerate(zip(subject.adversarials, positions, strict=True)):
        tried = position >= 0
        changed = item.samples.adversarial[position[tried]].to(batch.x)
        clean = batch.x[tried.to(batch.x.device)]
        step, ball = (changed - clean).flatten(1).double(), ThreatSet.around(clean, item.norm, torch.inf)
        rows[f"position/{number}"] = position
        rows[f"distance/{number}"] = spread(ball.distance(changed).double(), tried, 0.0)
        rows[f"change/{number}"] = spread(step.square().mean(1).sqrt(), tried, 0.0)
        for place, model in enumerate(subject.models):
            said = model.predict(changed) if tried.any() else position[:0]
            rows[f"predicted/{number}/{place}"] = spread(said, tried, _ABSENT)
    return rows


def crossings(subject: Subject, rows: Mapping[str, Tensor]) -> list[Crossing]:
    """Every set against every model, from the rows of all samples."""
    models = range(len(subject.models))
    for number, item in enumerate(subject.adversarials):
        check_origin(subject, item, rows[f"position/{number}"], rows[f"distance/{number}"])
    right = torch.stack([rows[f"clean/{place}"] == subject.data.y for place in models]).all(0)
    return [_crossing(subject, rows, number, right) for number in range(len(subject.adversarials))]


def groups(found: Sequence[Crossing]) -> Iterator[tuple[str, list[Crossing]]]:
    """The sets by the attack that made them, in the order of the port."""
    for label in dict.fromkeys(crossing.set.label for crossing in found):
        yield label, [crossing for crossing in found if crossing.set.label == label]


def scale(subject: Subject) -> float:
    """What a change is multiplied with to count in values of 8-bit pixels; without a box it stays as it is."""
    box = subject.data.box
    if box is None:
        return 1.0
    low, high = span(box)
    return GREY / (high - low)


def names_of(subject: Subject, given: Sequence[str]) -> list[str]:
    """What to call the models."""
    if not given:
        return [model.label for model in subject.models]
    if len(given) != len(subject.models) or len(set(given)) != len(given):
        message = f"`names` are {len(given)} for {len(subject.models)} models, and no two may be alike"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="one a model, in the order of the port")
    return list(given)


def _crossing(subject: Subject, rows: Mapping[str, Tensor], number: int, right: Tensor) -> Crossing:
    item, position = subject.adversarials[number], rows[f"position/{number}"]
    kept = (position >= 0) & right
    target = item.samples.target
    return Crossing(
        set=item,
        made_on=_made_on(subject, item),
        y=subject.data.y[kept],
        predicted=torch.stack([rows[f"predicted/{number}/{place}"][kept] for place in range(len(subject.models))]),
        change=rows[f"change/{number}"][kept],
        target=None if target is None else target[position[kept]],
    )


def _made_on(subject: Subject, item: SubjectSet) -> tuple[int, ...]:
    """The models that the attack could open: the surrogates where it had some, else the one under attack."""
    known = item.samples.surrogates or (item.samples.model,)
    return tuple(place for place, model in enumerate(subject.models) if model.digest in known)
