"""Detectors: Carlini and Wagner 2017 (arXiv:1705.07263), who evade ten of them; a number without an attack that knows
of the detector says nothing.

A set that was made for the refusing model itself is adaptive, others know of the classifier at most, or of another
detector. What counts as adversarial is what fools the classifier within the ball; a refusal then saves the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

import torch
from torch import Tensor

from advorch.kit.attack.region import region_mask
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.detection import Roc, roc
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch.kit.evaluation.subject import Subject, SubjectModel, SubjectSet, align
from advorch_builtins.evaluations.catalog_detection import DetectionParams
from advorch_builtins.evaluations.crossing import names_of
from advorch_builtins.evaluations.verdicts import check_origin, spread

_LIMITS = (
    "Detection of attacks that know nothing of the detector says how it does against those alone; where no set is "
    "adaptive, nothing is known of its worth. An adaptive attack stops just where it is no longer refused, so that its "
    "area can be near one while nothing is detected: what counts is what evades."
)


class Aim(Enum):
    """What a set was made against: classifier and detector as one, a model that cannot refuse, or another detector."""

    ADAPTIVE = "itself"
    UNAWARE = "unaware"
    ELSEWHERE = "another detector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One set before one model; tensors are over the samples that the set covers."""

    name: str
    attack: str
    made_for: str
    aim: Aim
    fooled: Tensor
    refused: Tensor
    roc: Roc | None

    @property
    def shown(self) -> bool:
        """Whether it says something of this detector: what was made to evade another is of less interest."""
        return self.aim is not Aim.ELSEWHERE

    @property
    def evaded(self) -> Proportion:
        """Samples that fool the classifier and are not refused."""
        return proportion(self.fooled & ~self.refused)

    @property
    def detected(self) -> Proportion:
        """Of those that fool the classifier, how many are refused."""
        return proportion(self.refused[self.fooled])


class Detection:
    """Batches are of clean samples; adversarial ones are found by their ids."""

    def map(self, subject: Subject, batch: Data, params: DetectionParams) -> Mapping[str, Tensor]:
        """By model: the class that it would say, and by how much the logit of refusing leads."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            rows[f"said/{place}"], rows[f"lead/{place}"] = _asked(model, batch.x)
        for number, item in enumerate(subject.adversarials):
            rows |= {f"{name}/{number}": values for name, values in _of_set(subject, batch, item).items()}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: DetectionParams) -> Findings:
        """Areas and shares by attack, and the curves behind them."""
        for number, item in enumerate(subject.adversarials):
            check_origin(subject, item, rows[f"position/{number}"], rows[f"distance/{number}"])
        names = names_of(subject, params.names)
        found = [
            [_trial(subject, rows, place, number, name) for number in range(len(subject.adversarials))]
            for place, name in enumerate(names)
        ]
        panels = {
            name: {_title(trial): _curve(trial.roc) for trial in trials if trial.roc and trial.shown}
            for name, trials in zip(names, found, strict=True)
        }
        shown = {name: panel for name, panel in panels.items() if panel}
        axes = Axis(label="clean samples refused"), Axis(label="adversarial ones refused", share=True)
        return Findings(
            metrics=_metrics(subject, rows, found),
            tables={"Detection": _table(found, params), "On clean samples": _clean(subject, rows, names)},
            figures={"Adversarial against clean samples": partial(curves, shown, *axes)} if shown else {},
            notes=_notes(found),
        )


@torch.no_grad()
def _asked(model: SubjectModel, x: Tensor) -> tuple[Tensor, Tensor]:
    logits: Tensor = model.module(x)
    classes, refusal = logits[:, :-1], logits[:, -1]
    return classes.argmax(1).cpu(), (refusal - classes.amax(1)).double().cpu()


def _of_set(subject: Subject, batch: Data, item: SubjectSet) -> dict[str, Tensor]:
    position = align(item.samples.ids, batch.ids.cpu())
    tried = position >= 0
    changed, clean = item.samples.adversarial[position[tried]].to(batch.x), batch.x[tried.to(batch.x.device)]
    mask = region_mask(item.region, subject.data.signature.shape)
    ball = ThreatSet.around(clean, item.norm, item.epsilon, box=subject.data.box, mask=mask)
    rows = {
        "position": position,
        "inside": spread(ball.contains(changed), tried, False),
        "distance": spread(ball.distance(changed).double(), tried, 0.0),
    }
    for place, model in enumerate(subject.models):
        said, lead = _asked(model, changed) if tried.any() else (position[:0], rows["distance"][:0])
        rows |= {f"said/{place}": spread(said, tried, -1), f"lead/{place}": spread(lead, tried, 0.0)}
    return rows


def _trial(subject: Subject, rows: Mapping[str, Tensor], place: int, number: int, name: str) -> Trial:
    model, item = subject.models[place], subject.adversarials[number]
    covered, y = rows[f"position/{number}"] >= 0, subject.data.y.cpu()
    said, lead = rows[f"said/{place}/{number}"][covered], rows[f"lead/{place}/{number}"][covered]
    right = (rows[f"said/{place}"] == y)[covered]
    fooled = right & rows[f"inside/{number}"][covered] & (said != y[covered])
    clean = rows[f"lead/{place}"]
    known = roc(clean, lead[fooled]) if bool(fooled.any()) else None
    return Trial(
        name=name,
        attack=item.label,
        made_for=item.samples.label,
        aim=_aim(subject, model, item),
        fooled=fooled,
        refused=lead > 0,
        roc=known,
    )


def _aim(subject: Subject, model: SubjectModel, item: SubjectSet) -> Aim:
    if item.made_for(model):
        return Aim.ADAPTIVE
    return Aim.ELSEWHERE if any(item.made_for(other) for other in subject.models) else Aim.UNAWARE


def _title(trial: Trial) -> str:
    return f"{trial.attack}, {trial.aim.name.lower()}"


def _curve(found: Roc) -> Curve:
    return Curve(x=found.alarms.tolist(), y=found.caught.tolist())


def _table(found: Sequence[Sequence[Trial]], params: DetectionParams) -> Table:
    shares = [f"caught at {100 * share:g}%" for share in params.alarms]
    columns = (
        "model",
        "attack",
        "made for",
        "samples",
        "fooled",
        "detected",
        "evaded",
        "low",
        "high",
        "AUROC",
        *shares,
    )
    rows = tuple(_row(trial, params) for trials in found for trial in trials)
    caption = (
        "Fooled: the classifier alone is wrong within the ball where it was right. Detected: of these, how many are "
        "refused at the model's own threshold. Evaded: fooled and not refused, of all samples attacked, with its 95% "
        "interval (Wilson). AUROC and what is caught at a share of false alarms are of those that fooled against all "
        "clean samples."
    )
    look = Look(
        shares=frozenset({"fooled", "detected", "evaded", "low", "high", *shares}),
        intervals=(("evaded", "low", "high"),),
    )
    return Table(columns, rows, caption, look)


def _row(trial: Trial, params: DetectionParams) -> tuple[Value, ...]:
    caught = [None if trial.roc is None else trial.roc.caught_at(share) for share in params.alarms]
    aim = trial.aim.value if trial.aim is Aim.ADAPTIVE else trial.made_for
    shares = (proportion(trial.fooled).known, trial.detected.known, *trial.evaded.bounded)
    area = None if trial.roc is None else trial.roc.area
    return (trial.name, trial.attack, aim, len(trial.fooled), *shares, area, *caught)


def _clean(subject: Subject, rows: Mapping[str, Tensor], names: Sequence[str]) -> Table:
    y = subject.data.y.cpu()
    shares = [
        (proportion(rows[f"said/{place}"] == y), proportion(rows[f"lead/{place}"] > 0)) for place in range(len(names))
    ]
    cells = tuple((name, right.known, *alarms.bounded) for name, (right, alarms) in zip(names, shares, strict=True))
    look = Look(shares=frozenset({"right", "refused", "low", "high"}), intervals=(("refused", "low", "high"),))
    caption = "Right is the classifier alone, whatever is refused."
    return Table(("model", "right", "refused", "low", "high"), cells, caption, look)


def _metrics(subject: Subject, rows: Mapping[str, Tensor], found: Sequence[Sequence[Trial]]) -> dict[str, float]:
    """The worst over the attacks that know of the detector, and over those that know of none."""
    y, every = subject.data.y.cpu(), []
    for place, trials in enumerate(found):
        own = {
            "clean_accuracy": proportion((rows[f"said/{place}"] == y) & (rows[f"lead/{place}"] <= 0)).value,
            "false_alarms": proportion(rows[f"lead/{place}"] > 0).value,
        }
        for ending, aim in (("", Aim.UNAWARE), ("_adaptive", Aim.ADAPTIVE)):
            meant = [trial for trial in trials if trial.aim is aim]
            areas = [trial.roc.area for trial in meant if trial.roc]
            own |= {f"auroc{ending}": min(areas)} if areas else {}
            own |= {f"evaded{ending}": max(trial.evaded.value for trial in meant)} if meant else {}
        every.append(own)
    return metrics_by_label([model.label for model in subject.models], every)


def _notes(found: Sequence[Sequence[Trial]]) -> list[str]:
    blind = [trials[0].name for trials in found if trials and all(trial.aim is not Aim.ADAPTIVE for trial in trials)]
    return [_LIMITS, *([f"No attack knew of the detector: {', '.join(blind)}."] if blind else [])]
