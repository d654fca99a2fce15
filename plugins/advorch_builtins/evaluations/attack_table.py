"""White box, black box, targeted and not: every attack on every model, judged again from the adversarial samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from advorch.api import Access, Budget, ErrorClass, Norm, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.dot_figures import Dot, dot_plot
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion, worst_case
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_attack_table import AttackTableParams
from advorch_builtins.evaluations.crossing import names_of
from advorch_builtins.evaluations.verdicts import Duel, Standing, judge, standings

_SEEN = {
    Access.GRADIENTS: "white box",
    Access.SCORES: "scores",
    Access.LABELS: "labels",
    Access.NOTHING: "nothing",
    None: "not said",
}
_ORDER = tuple(_SEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One attack on one model."""

    model: int
    duel: Duel
    correct: Tensor

    @property
    def access(self) -> Access | None:
        """What the attack could ask of the model."""
        return self.duel.set.samples.access

    @property
    def targeted(self) -> bool:
        """Whether it aimed at a label chosen beforehand."""
        return bool(self.duel.set.samples.settings.get("targeted"))

    @property
    def attacked(self) -> Tensor:
        """Samples that the model had right."""
        return self.duel.covered & self.correct

    @property
    def reached(self) -> Tensor:
        """Samples on which the goal was reached within epsilon."""
        return self._hit & self.duel.inside

    @property
    def accuracy(self) -> Proportion:
        """Right before and after, of all samples that it covers."""
        return self.duel.accuracy

    @property
    def success(self) -> Proportion:
        """Goals reached, of the samples that were right before."""
        return Proportion(int(self.reached.sum()), int(self.attacked.sum()))

    @property
    def distance(self) -> float | None:
        """The mean over what fools; with a minimal budget at any distance in the box, as such attacks are compared."""
        if self.duel.set.norm is Norm.UNBOUNDED:
            return None
        found = self._hit & self.duel.legal if self.duel.set.samples.budget is Budget.MINIMAL else self.reached
        return float(self.duel.distance[found].mean()) if found.any() else None

    @property
    def queries(self) -> float | None:
        """Forward passes a sample, the mean over those that were attacked."""
        asked = self.duel.recorded(self.duel.set.samples.queries)[self.correct[self.duel.covered]]
        return float(asked.double().mean()) if len(asked) else None

    @property
    def _hit(self) -> Tensor:
        """Samples on which the goal was reached at any distance."""
        samples, predicted = self.duel.set.samples, self.duel.predicted
        aim = torch.full_like(predicted, -1)
        aim[self.duel.covered] = self.duel.recorded(samples.y if samples.target is None else samples.target)
        return self.attacked & (predicted.ne(aim) if samples.target is None else predicted.eq(aim))


class AttackTable:
    """Batches are of clean samples; adversarial ones are found by their ids."""

    def map(self, subject: Subject, batch: Data, params: AttackTableParams) -> Mapping[str, Tensor]:
        """Every model's prediction on each sample, clean and as each set has it."""
        return judge(subject, batch)

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: AttackTableParams) -> Findings:
        """One line an attack and model, strongest access first."""
        names, found = names_of(subject, params.names), standings(subject, rows)
        lines = lines_of(found)
        if not lines:
            message = "none of the adversarial sets was made for one of the models"
            raise StageFailed(message, error_class=ErrorClass.USER, hint="connect the models that were attacked")
        return Findings(
            metrics=_metrics(found, lines),
            tables={"Attacks": _table(found, lines, names)},
            figures={"Goal reached by attack": partial(_figure, lines, names)},
            notes=_notes(lines),
        )


def lines_of(found: Sequence[Standing]) -> list[Line]:
    """What was made for each model, ordered by model, goal and access, then as connected."""
    lines = [
        Line(model=place, duel=duel, correct=standing.correct)
        for place, standing in enumerate(found)
        for duel in standing.own
    ]
    return sorted(lines, key=lambda line: (line.model, line.targeted, _ORDER.index(line.access)))


def _table(found: Sequence[Standing], lines: Sequence[Line], names: Sequence[str]) -> Table:
    columns = (
        "model", "goal", "sees", "attack", "accuracy", "low", "high", "reached", "samples", "mean distance", "queries",
    )  # fmt: skip
    clean = [(names[place], "none", "", "clean", *_clean(standing)) for place, standing in enumerate(found)]
    rows = [(names[line.model], *_row(line)) for line in lines]
    by_model = [row for name in names for row in (*clean, *rows) if row[0] == name]
    caption = (
        "Accuracy: right before and after. Reached: of the samples that were right, those where the goal (another "
        "label, or the target) was reached within epsilon. Distance: the mean over what fools, in the norm of the "
        "attack; of attacks that look for the smallest perturbation at any distance. Queries: forward passes a sample."
    )
    look = Look(shares=frozenset({"accuracy", "low", "high", "reached"}), intervals=(("accuracy", "low", "high"),))
    return Table(columns, tuple(by_model), caption, look)


def _clean(standing: Standing) -> tuple[Value, ...]:
    accuracy = proportion(standing.correct)
    return (*accuracy.bounded, None, accuracy.total, None, None)


def _row(line: Line) -> tuple[Value, ...]:
    accuracy, success = line.accuracy, line.success
    goal = "target" if line.targeted else "any other"
    return (
        goal, _SEEN[line.access], line.duel.set.label, *accuracy.bounded, success.known, accuracy.total, line.distance,
        line.queries,
    )  # fmt: skip


def _figure(lines: Sequence[Line], names: Sequence[str]) -> bytes:
    """One line an attack, one dot a model; groups by goal and access."""
    groups: dict[str, dict[str, list[Dot]]] = {}
    for line in sorted(lines, key=lambda line: (line.targeted, _ORDER.index(line.access))):
        group = _SEEN[line.access] + (", targeted" if line.targeted else "")
        dot = Dot(series=names[line.model], share=line.success)
        groups.setdefault(group, {}).setdefault(line.duel.set.label, []).append(dot)
    return dot_plot(groups, names, "goal reached, of the samples that were right")


def _metrics(found: Sequence[Standing], lines: Sequence[Line]) -> dict[str, float]:
    """The worst case over each group of attacks; of several models under each one's name."""
    own = [[line for line in lines if line.model == place] for place in range(len(found))]
    groups = [
        {"clean": float(standing.correct.double().mean())} | _worst(members)
        for standing, members in zip(found, own, strict=True)
    ]
    named = [{f"{group}_accuracy": value for group, value in values.items()} for values in groups]
    return metrics_by_label([standing.model.label for standing in found], named)


def _worst(lines: Sequence[Line]) -> dict[str, float]:
    """By group, the share that withstands every attack of the group, on the samples that all of them had."""
    plain = [line for line in lines if not line.targeted]
    groups = {_SEEN[access].replace(" ", "_"): [line for line in plain if line.access is access] for access in Access}
    groups |= {"worst": list(lines), "targeted": [line for line in lines if line.targeted]}
    return {name: value for name, members in groups.items() if (value := _withstood(members)) is not None}


def _withstood(lines: Sequence[Line]) -> float | None:
    if not lines:
        return None
    common = worst_case([line.duel.covered for line in lines])
    return float(worst_case([line.duel.withstood for line in lines])[common].double().mean()) if common.any() else None


def _equal_targets(lines: Sequence[Line]) -> bool:
    """Whether all targeted attacks wanted the same of whichever samples they share."""
    wanted: dict[int, int] = {}
    for samples in (line.duel.set.samples for line in lines):
        if samples.target is not None:
            aims = dict(zip(samples.ids.tolist(), samples.target.tolist(), strict=True))
            if any(wanted.get(index, aim) != aim for index, aim in aims.items()):
                return False
            wanted |= aims
    return True


def _notes(lines: Sequence[Line]) -> list[str]:
    notes = ["Accuracies are of the attacks listed, and no guarantee; each row is of the samples that it has."]
    norms = sorted({line.duel.set.norm.value for line in lines})
    if len(norms) > 1:
        notes.append(f"The metrics are worst cases over attacks in {' and '.join(norms)} together.")
    if not _equal_targets(lines):
        notes.append("Targeted attacks aimed at different targets of the same samples: they differ by luck as well.")
    asked = {line.duel.set.label for line in lines if line.access is Access.NOTHING}
    if asked:
        notes.append(f"Made on other models, whose own training may have asked this one: {', '.join(sorted(asked))}.")
    return notes
