"""The tables of a descent: means by step, and the probabilities in the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.attack.victim import Finish
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import Attacker, class_named, name_attackers
from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_ascents import DescentParams

_STEPS = (
    "model", "attack", "step", "loss of label", "loss of target", "difference", "probability of label", "accuracy",
    "robust accuracy", "target reached",
)  # fmt: skip
_STEPS_CAPTION = (
    "Means over all samples after so many steps. Accuracy: right at this step; robust: right at this and every step "
    "before. The difference is the loss of the label less that of the target."
)
_ENDS_CAPTION = (
    "Where the samples end that are shown. The label stands first, then the target if there is one, then the likeliest."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Means over samples along one attack on one model, an entry a step."""

    model: str
    attack: str
    loss: Tensor
    goal: Tensor | None
    probability: Tensor
    accuracy: Tensor
    robust: Tensor
    reached: Tensor | None

    @classmethod
    def of(
        cls, rows: Mapping[str, Tensor], model: str, attack: str, place: tuple[int, int], *, targeted: bool
    ) -> "Path":
        """From the rows of all samples."""

        def column(name: str) -> Tensor:
            return rows[f"{name}/{place[0]}/{place[1]}"].double()

        return cls(
            model=model,
            attack=attack,
            loss=column("loss").mean(0),
            goal=column("goal").mean(0) if targeted else None,
            probability=column("probability").mean(0),
            accuracy=column("right").mean(0),
            robust=column("right").cummin(1).values.mean(0),
            reached=column("reached").mean(0) if targeted else None,
        )

    def __len__(self) -> int:
        return len(self.loss)

    def last(self) -> dict[str, float]:
        """The metrics: where the attack ends."""
        columns = {"loss": self.loss, "accuracy": self.accuracy, "robust_accuracy": self.robust}
        return {name: float(column[-1]) for name, column in (columns | {"probability": self.probability}).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One sample as one attack on one model leaves it."""

    model: str
    attack: str
    name: str
    clean: Tensor
    z: Tensor
    before: Tensor
    after: Tensor
    label: int
    goal: int | None
    targeted: bool


def ends(subject: Subject, attacks: Sequence[Attacker], params: DescentParams, shown: Sequence[int]) -> list[End]:
    """Some samples, attacked once more: what a sample draws does not depend on the others."""
    return list(_ends(subject, attacks, params, subject.data.take(torch.tensor(shown)).to(subject.device)))


def _ends(subject: Subject, attacks: Sequence[Attacker], params: DescentParams, batch: Data) -> Iterator[End]:
    for model in subject.models:
        for attack, name in zip(attacks, name_attackers(attacks), strict=True):
            goals = attack.goals(batch, class_named(subject, params.target))
            z = attack.perturb(model, batch, goals, finish=Finish.LAST)
            with torch.no_grad():
                before, after = (model.module(point).float().softmax(1).cpu() for point in (batch.x, z))
            for row in range(len(batch)):
                yield End(
                    model=model.label, attack=name, name=f"sample {int(batch.ids[row])}", clean=batch.x[row].cpu(),
                    z=z[row].cpu(), before=before[row], after=after[row], label=int(batch.y[row]),
                    goal=int(goals[row]) if attack.targeted else None, targeted=attack.targeted,
                )  # fmt: skip


def by_step(paths: Sequence[Path], every: int) -> Table:
    """The first step, every so many after it, and the last."""
    rows = tuple(row for path in paths for row in _steps(path, every))
    untargeted = all(path.goal is None for path in paths)
    usual = tuple((name, None) for name in ("loss of target", "difference", "target reached") if untargeted)
    shares = frozenset({"accuracy", "robust accuracy", "target reached"})
    return Table(_STEPS, rows, _STEPS_CAPTION, Look(shares=shares, usual=usual))


def _steps(path: Path, every: int) -> Iterator[tuple[Value, ...]]:
    last = len(path) - 1
    for step in sorted({*range(0, last, every), last}):
        loss, goal = float(path.loss[step]), None if path.goal is None else float(path.goal[step])
        yield (
            path.model, path.attack, step, loss, goal, None if goal is None else loss - goal,
            float(path.probability[step]), float(path.accuracy[step]), float(path.robust[step]),
            None if path.reached is None else float(path.reached[step]),
        )  # fmt: skip


def probabilities(found: Sequence[End], classes: Sequence[str], top: int) -> Table:
    """A row a class that matters: the label, the target, and the likeliest at the end."""
    columns = ("model", "attack", "sample", "class", "is", "probability before", "probability after")
    rows = tuple(row for end in found for row in _classes(end, classes, top))
    return Table(columns, rows, _ENDS_CAPTION)


def _classes(end: End, classes: Sequence[str], top: int) -> Iterator[tuple[Value, ...]]:
    roles: dict[int, list[str]] = {end.label: ["label"]}
    if end.goal is not None:
        roles.setdefault(end.goal, []).append("target")
    for rank, place in enumerate(end.after.topk(min(top, len(classes))).indices.tolist()):
        roles.setdefault(place, []).append(f"rank {rank + 1}")
    for place, role in roles.items():
        yield (
            end.model, end.attack, end.name, classes[place], ", ".join(role), float(end.before[place]),
            float(end.after[place]),
        )  # fmt: skip
