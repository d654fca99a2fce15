"""Attacks that an evaluation names in its parameters, ready for any of its models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advorch.canonical import Json
from advorch.components import Attack
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.checks import check_access, check_threat
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import fixed_targets
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.verdict import verify
from advorch.kit.attack.victim import Finish, Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.params import AttackRef
from advorch.threat import Box, Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker:
    """One attack with its parameters. What it finds for a sample depends on neither batch nor worker."""

    attack: Attack[Any]
    params: Any
    box: Box | None
    seed: int

    @property
    def label(self) -> str:
        """The attack and its ball."""
        goal = " targeted" if self.targeted else ""
        return f"{self.attack.name} {self.norm.value} eps {self.epsilon:.4g}{goal}"

    @property
    def norm(self) -> Norm:
        """How its perturbations are measured."""
        return Norm(self.params.norm)

    @property
    def epsilon(self) -> float:
        """The size of its ball."""
        return float(self.params.epsilon)

    @property
    def targeted(self) -> bool:
        """Whether it aims at one class of each sample."""
        return bool(self.params.targeted)

    def goals(self, batch: Data, target: int | None = None) -> Tensor:
        """What it is told of each sample: the label, or the class to aim at, drawn unless it is given."""
        if not self.targeted:
            return batch.y
        drawn = fixed_targets(batch.ids, batch.y, len(batch.classes))
        return drawn if target is None else torch.where(batch.y == target, drawn, target)

    def perturb(
        self,
        model: SubjectModel,
        batch: Data,
        goals: Tensor,
        *,
        finish: Finish = Finish.FOOLED,
    ) -> Tensor:
        """A point inside the ball for each sample, right or wrong before."""
        check_access(self.attack, model.access)
        rng = self._draws(batch.ids)
        victim = Victim(
            model.module,
            box=self.box,
            norm=self.norm,
            epsilon=self.epsilon,
            access=self.attack.threat.access,
            targeted=self.targeted,
            finish=finish,
            budget=self.attack.threat.budget,
        )
        with untouched(model.module, seed=rng.fork("module").seed):
            method = self.attack.load()
            return verify(method, victim.ball(batch.x), method(victim, batch.x, goals, self.params, rng))

    def _draws(self, ids: Tensor) -> Draws:
        return Draws(self.seed, ids).fork(self.attack.id)


def attacker(subject: Subject, ref: AttackRef) -> Attacker:
    """The attack that a reference names, in the box of the data."""
    component = subject.lookup(ref.id)
    if not isinstance(component, Attack):
        raise StageFailed(f"'{ref.id}' is no attack", error_class=ErrorClass.USER)
    params: Any = component.nested_schema().parse(ref.with_)
    check_threat(component, params)
    return Attacker(attack=component, params=params, box=subject.data.box, seed=subject.seed)


def name_attackers(attackers: Sequence[Attacker]) -> tuple[str, ...]:
    """A label for each, with the parameters in which those that are called alike differ."""
    plain = [each.params.plain() for each in attackers]
    groups = [
        [other for other, item in zip(plain, attackers, strict=True) if item.label == each.label] for each in attackers
    ]
    return tuple(
        each.label + "".join(f", {name} {_spelled(own[name])}" for name in own if _varies(name, group))
        for each, own, group in zip(attackers, plain, groups, strict=True)
    )


def _varies(name: str, group: Sequence[Mapping[str, Json]]) -> bool:
    return any(other.get(name) != group[0].get(name) for other in group)


def _spelled(value: Json) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def class_named(subject: Subject, name: str) -> int | None:
    """The label of a class by its name; none for no name."""
    if not name:
        return None
    if name not in subject.data.classes:
        known = ", ".join(subject.data.classes[:12])
        raise StageFailed(f"there is no class '{name}'", error_class=ErrorClass.USER, hint=f"classes: {known}")
    return subject.data.classes.index(name)
