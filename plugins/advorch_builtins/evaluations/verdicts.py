"""Every model judged anew: what it predicts on clean samples and on each adversarial set, sample by sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.api import Budget, ErrorClass, StageFailed
from advorch.kit.attack.region import region_mask
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.data import Data
from advorch.kit.evaluation.statistics import Proportion, by_class, proportion, worst_case
from advorch.kit.evaluation.subject import Subject, SubjectModel, SubjectSet, align

_ABSENT = -1
# A set that was made from these samples measures the same distances again, but for the last bits of a sum.
_SAME_DISTANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """One set against one model; all tensors are over the data, and say something where `covered` does."""

    set: SubjectSet
    own: bool
    position: Tensor
    predicted: Tensor
    withstood: Tensor
    inside: Tensor
    legal: Tensor
    distance: Tensor

    @property
    def covered(self) -> Tensor:
        """Which samples the set has an adversarial for."""
        return self.position >= 0

    def recorded(self, column: Tensor) -> Tensor:
        """What the set itself says, of the samples that it covers."""
        return column[self.position[self.covered]]

    @property
    def accuracy(self) -> Proportion:
        """Samples that were right and stayed right."""
        return proportion(self.withstood[self.covered])

    @property
    def outside(self) -> int:
        """Samples that break the ball or the box; none of them counts as fooled.

        An attack with a minimal budget breaks nothing where it needs more than epsilon: it has not fooled there.
        """
        return int((self.covered & ~self.legal).sum())

    @property
    def agreement(self) -> Proportion:
        """Predictions that are what the attack said they were."""
        return proportion(self.predicted[self.covered] == self.recorded(self.set.samples.adversarial_prediction))

    @property
    def unconfirmed(self) -> int:
        """Successes that the attack claims and the model, or the ball, denies."""
        return int((self.withstood[self.covered] & self.recorded(self.set.samples.success)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one model is worth."""

    model: SubjectModel
    classes: int
    y: Tensor
    clean: Tensor
    duels: tuple[Duel, ...]

    @property
    def correct(self) -> Tensor:
        """Which clean samples it gets right."""
        return self.clean == self.y

    @property
    def everywhere(self) -> Tensor:
        """All samples."""
        return torch.ones_like(self.correct)

    def only_by(self, duel: Duel) -> int | None:
        """How many samples this attack fooled and no other in its ball did, of those that all of them tried.

        None where it is the only one.
        """
        others = [own for own in self.own if own.set.threat == duel.set.threat and own is not duel]
        if not others:
            return None
        stood = worst_case([own.withstood & own.covered for own in others])
        return int((self.fooled_by(duel) & stood).sum())

    def fooled_by(self, duel: Duel) -> Tensor:
        """Samples that were right before this attack and are wrong after it."""
        return duel.covered & self.correct & ~duel.withstood

    def under_attack(self) -> Tensor:
        """For each sample the prediction that the first attack to fool it forces, else the clean one."""
        predicted = self.clean.clone()
        for duel in reversed(self.own):
            predicted = torch.where(self.fooled_by(duel), duel.predicted, predicted)
        return predicted

    @property
    def own(self) -> tuple[Duel, ...]:
        """The attacks that were made for it."""
        return tuple(duel for duel in self.duels if duel.own)

    def by_class(self, flags: Tensor, among: Tensor) -> list[Proportion]:
        """Shares of true flags by true class, among some of the samples."""
        return by_class(flags[among], self.y[among], self.classes)


@dataclass(frozen=True, slots=True)
class WorstCase:
    """Samples that every one of several attacks covered, and which of those withstood all."""

    covered: Tensor
    withstood: Tensor
    attacks: int

    @property
    def accuracy(self) -> Proportion:
        """The accuracy that the strongest choice of attack for each sample leaves."""
        return proportion(self.withstood[self.covered])


def worst_of(duels: Sequence[Duel]) -> WorstCase | None:
    """The worst case over attacks, of those samples that all of them tried; None if there are no such samples."""
    if not duels:
        return None
    covered = worst_case([duel.covered for duel in duels])
    return WorstCase(covered, worst_case([duel.withstood for duel in duels]), len(duels)) if covered.any() else None


def judge(subject: Subject, batch: Data) -> dict[str, Tensor]:
    """Rows of one batch: predictions by model and set, and where each adversarial lies."""
    rows = {f"clean/{place}": model.predict(batch.x).cpu() for place, model in enumerate(subject.models)}
    for number, item in enumerate(subject.adversarials):
        rows |= {f"{name}/{number}": values for name, values in _judge_set(subject, batch, item).items()}
    return rows


def _judge_set(subject: Subject, batch: Data, item: SubjectSet) -> dict[str, Tensor]:
    position = align(item.samples.ids, batch.ids.cpu())
    tried = position >= 0
    changed, clean = item.samples.adversarial[position[tried]].to(batch.x), batch.x[tried.to(batch.x.device)]
    mask = region_mask(item.region, subject.data.signature.shape)
    ball = ThreatSet.around(clean, item.norm, item.epsilon, box=subject.data.box, mask=mask)
    free = item.samples.budget is Budget.MINIMAL
    whole = ThreatSet.around(clean, item.norm, torch.inf, box=subject.data.box, mask=mask) if free else ball
    rows = {
        "position": position,
        "inside": spread(ball.contains(changed), tried, False),
        "legal": spread(whole.contains(changed), tried, False),
        "distance": spread(ball.distance(changed).double(), tried, 0.0),
    }
    for place, model in enumerate(subject.models):
        predicted = model.predict(changed) if tried.any() else position[:0]
        rows[f"predicted/{place}"] = spread(predicted, tried, _ABSENT)
    return rows


def spread(values: Tensor, where: Tensor, otherwise: float) -> Tensor:
    """Values at their places among all samples."""
    spread = torch.full(where.shape, otherwise, dtype=values.dtype)
    spread[where] = values.cpu()
    return spread


def standings(subject: Subject, rows: Mapping[str, Tensor]) -> list[Standing]:
    """One standing a model, from the rows of all samples."""
    _check_labels(subject.data)
    for number, item in enumerate(subject.adversarials):
        check_origin(subject, item, rows[f"position/{number}"], rows[f"distance/{number}"])
    return [_standing(subject, rows, place) for place in range(len(subject.models))]


def _standing(subject: Subject, rows: Mapping[str, Tensor], place: int) -> Standing:
    model, y, clean = subject.models[place], subject.data.y, rows[f"clean/{place}"]
    duels = tuple(_duel(subject, rows, place, number) for number in range(len(subject.adversarials)))
    return Standing(model=model, classes=len(subject.data.classes), y=y, clean=clean, duels=duels)


def _duel(subject: Subject, rows: Mapping[str, Tensor], place: int, number: int) -> Duel:
    item, y, clean = subject.adversarials[number], subject.data.y, rows[f"clean/{place}"]
    position, inside = rows[f"position/{number}"], rows[f"inside/{number}"]
    predicted = rows[f"predicted/{place}/{number}"]
    return Duel(
        set=item,
        own=item.made_for(subject.models[place]),
        position=position,
        predicted=predicted,
        withstood=(position >= 0) & (clean == y) & ((predicted == y) | ~inside),
        inside=inside,
        legal=rows[f"legal/{number}"],
        distance=rows[f"distance/{number}"],
    )


def _check_labels(data: Data) -> None:
    if bool(((data.y < 0) | (data.y >= len(data.classes))).any()):
        raise StageFailed("robustness needs data with a class for every sample", error_class=ErrorClass.USER)


def check_origin(subject: Subject, item: SubjectSet, position: Tensor, distance: Tensor) -> None:
    """Ids of two splits can be alike: labels and measured distances tell whether a set was made from these samples."""
    covered, samples = position >= 0, item.samples
    source = position[covered]
    same = torch.equal(samples.y[source], subject.data.y[covered])
    if same and samples.data != subject.data_digest:
        recorded = samples.distance[source].double()
        same = torch.allclose(recorded, distance[covered], rtol=_SAME_DISTANCE, atol=_SAME_DISTANCE, equal_nan=True)
    if not same:
        raise StageFailed(
            f"the adversarial set '{item.label}' was made from other samples than the data it is compared with",
            error_class=ErrorClass.USER,
            hint="give the evaluation the data that the attack was given",
        )
