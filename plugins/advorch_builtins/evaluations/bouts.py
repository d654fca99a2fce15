"""One attack on the model that it was made for: what it changed, how far it went, what it asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from advorch.api import Budget, Norm
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.data import Data
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel, SubjectSet
from advorch_builtins.evaluations.verdicts import Duel, Standing, judge, spread, standings


@dataclass(frozen=True, slots=True, kw_only=True)
class Bout:
    """All tensors are over the data; `size` is the length of the change, `share` that over the sample's own."""

    model: SubjectModel
    duel: Duel
    right: Tensor
    found: Tensor
    norm: Norm
    size: Tensor
    share: Tensor

    @property
    def name(self) -> str:
        """The attack without its settings."""
        return self.duel.set.samples.attack.partition("/")[2]

    @property
    def tried(self) -> Tensor:
        """Samples that the attack had to change."""
        return self.duel.covered & self.right

    @property
    def success(self) -> Proportion:
        """For how many of them an adversarial is there; of a minimal budget at any distance."""
        return proportion(self.found[self.tried])

    def mean(self, values: Tensor) -> float | None:
        """Of lengths, over those that were found; a pose or a patch has no length."""
        known = self._known(values)
        return float(known.mean()) if len(known) else None

    def median(self, values: Tensor) -> float | None:
        """The same in the middle."""
        known = self._known(values)
        return float(known.quantile(0.5)) if len(known) else None

    def _known(self, values: Tensor) -> Tensor:
        return values[:0] if self.norm is Norm.UNBOUNDED else values[self.found & values.isfinite()]

    def queries(self) -> float | None:
        """Forward passes, of those that were attacked."""
        asked = self.duel.set.samples.queries[self.duel.position[self.tried]]
        return float(asked.double().mean()) if len(asked) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """One model and all that was made to fool it."""

    standing: Standing
    bouts: tuple[Bout, ...]


def rows_of(subject: Subject, batch: Data, measure: Norm | None) -> dict[str, Tensor]:
    """Verdicts and lengths of one batch, of each model on its own sets alone."""
    rows: dict[str, Tensor] = {}
    for place, model in enumerate(subject.models):
        part = _part(subject, model)
        found = judge(part, batch)
        for number, item in enumerate(part.adversarials):
            found |= _lengths(batch, item, found[f"position/{number}"], measure, number)
        rows |= {f"{place}:{name}": values for name, values in found.items()}
    return rows


def rings_of(subject: Subject, rows: Mapping[str, Tensor], measure: Norm | None) -> list[Ring]:
    """The same of all samples."""
    return [_ring(_part(subject, model), _own(rows, place), measure) for place, model in enumerate(subject.models)]


def _part(subject: Subject, model: SubjectModel) -> Subject:
    own = tuple(item for item in subject.adversarials if item.made_for(model))
    return replace(subject, models=(model,), adversarials=own)


def _own(rows: Mapping[str, Tensor], place: int) -> dict[str, Tensor]:
    start = f"{place}:"
    return {name.removeprefix(start): values for name, values in rows.items() if name.startswith(start)}


def _lengths(batch: Data, item: SubjectSet, position: Tensor, measure: Norm | None, number: int) -> dict[str, Tensor]:
    tried = position >= 0
    clean, changed = batch.x.cpu()[tried], item.samples.adversarial[position[tried]].to(batch.x.dtype)
    norm = measure or item.norm
    size, own = _length(clean, changed, norm), _length(torch.zeros_like(clean), clean, norm)
    columns = {f"size/{number}": size, f"share/{number}": size / own}
    return {name: spread(values.double(), tried, torch.nan) for name, values in columns.items()}


def _length(start: Tensor, end: Tensor, norm: Norm) -> Tensor:
    return ThreatSet.around(start, norm, torch.inf).distance(end)


def _ring(part: Subject, rows: Mapping[str, Tensor], measure: Norm | None) -> Ring:
    (standing,) = standings(part, rows)
    bouts = [_bout(standing, rows, number, measure) for number in range(len(standing.duels))]
    return Ring(standing=standing, bouts=tuple(bouts))


def _bout(standing: Standing, rows: Mapping[str, Tensor], number: int, measure: Norm | None) -> Bout:
    duel = standing.duels[number]
    return Bout(
        model=standing.model,
        duel=duel,
        right=standing.correct,
        found=_found(standing, duel),
        norm=measure or duel.set.norm,
        size=rows[f"size/{number}"],
        share=rows[f"share/{number}"],
    )


def _found(standing: Standing, duel: Duel) -> Tensor:
    """Who was fooled; with a minimal budget wherever in the box."""
    if duel.set.samples.budget is Budget.FIXED:
        return standing.fooled_by(duel)
    return duel.covered & standing.correct & duel.legal & _reached(standing, duel)


def _reached(standing: Standing, duel: Duel) -> Tensor:
    goal = duel.set.samples.target
    if not duel.set.samples.settings.get("targeted") or goal is None:
        return duel.predicted.ne(standing.y)
    return duel.predicted.eq(goal[duel.position.clamp(min=0)])


def names_of(bouts: Sequence[Bout]) -> list[str]:
    """The attack's name, or its whole label where two have one name."""
    names = [bout.name for bout in bouts]
    return [bout.duel.set.label if names.count(bout.name) > 1 else bout.name for bout in bouts]
