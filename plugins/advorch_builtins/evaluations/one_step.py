"""FGSM as a limit: one step of proximal gradient ascent, the projection being the proximal map of the linf ball.

z = project(x + alpha g) reaches the edge in every number whose |alpha g| is at least as far as the ball and the box let
it go, and there it is x + epsilon sign(g), cut to the box: what FGSM does everywhere at once.
"""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from advorch.api import AttackRef, ErrorClass, Norm, StageFailed
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Finish, Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.attackers import Attacker, attacker
from advorch.kit.evaluation.curves import Axis, Curve, curves
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_ascents import OneStepParams

_EQUAL = 1e-6  # of epsilon
_COLUMNS = (
    "model", "alpha", "numbers equal", "numbers equal by theory", "samples equal", "mean distance", "wrong after it",
    "wrong after the other", "loss after it", "loss after the other",
)  # fmt: skip
_MEASURED = ("equal", "predicted", "same", "distance")
_CAPTION = (
    "Numbers (pixels) in which the step ends where the other attack does, and the share that theory says: those whose "
    "gradient times alpha is as far as ball and box let them go. Distance: the largest of a sample's numbers, over "
    "epsilon, between the two points, a mean over samples."
)


class OneStep:
    """Batches are of clean samples; every model is stepped on at every alpha."""

    def map(self, subject: Subject, batch: Data, params: OneStepParams) -> Mapping[str, Tensor]:
        """By model: what each alpha reaches, one column an alpha, and what the other attack does."""
        other = attacker(subject, params.against)
        steps = [attacker(subject, _with_alpha(params.attack, alpha)) for alpha in params.alphas]
        _check(steps[0], other)
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            z, pull = _end(other, model, batch), _gradient(other, model, batch)
            rows |= {f"{name}/{place}": column[:, None] for name, column in _after(model, batch, z).items()}
            found = [
                _compare(step, model, batch, z, pull, alpha) for step, alpha in zip(steps, params.alphas, strict=True)
            ]
            rows |= {f"step {name}/{place}": torch.stack([each[name] for each in found], 1) for name in found[0]}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: OneStepParams) -> Findings:
        """Shares by alpha, measured beside theory."""
        labels = [model.label for model in subject.models]
        means = {name: column.double().mean(0).tolist() for name, column in rows.items()}
        longest = [
            {f"{name}_share": means[f"step {name}/{place}"][-1] for name in ("equal", "predicted")}
            for place in range(len(labels))
        ]
        return Findings(
            metrics=metrics_by_label(labels, longest),
            tables={"One step": _table(labels, means, params.alphas)},
            figures={
                "Numbers in which the step is that of its sign": partial(_shares, labels, means, params),
                "Errors after one step": partial(_errors, labels, means, params),
            },
        )


def _with_alpha(ref: AttackRef, alpha: float) -> AttackRef:
    return AttackRef.parse({"uses": ref.uses, "with": {**ref.with_, "alpha": alpha}})


def _check(step: Attacker, other: Attacker) -> None:
    if step.norm is not Norm.LINF or other.norm is not Norm.LINF or step.epsilon != other.epsilon:
        message = f"{step.label} and {other.label} are not compared: both must work in linf with one epsilon"
        raise StageFailed(message, error_class=ErrorClass.USER)
    if getattr(step.params, "steps", 1) != 1:
        message = f"{step.attack.name} takes {step.params.steps} steps"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="give it `steps: 1`")


def _end(attack: Attacker, model: SubjectModel, batch: Data) -> Tensor:
    return attack.perturb(model, batch, attack.goals(batch), finish=Finish.LAST)


def _gradient(attack: Attacker, model: SubjectModel, batch: Data) -> Tensor:
    victim = Victim(
        model.module, box=attack.box, norm=attack.norm, epsilon=attack.epsilon, access=model.access,
        targeted=attack.targeted,
    )  # fmt: skip
    with untouched(model.module):
        return victim.gradient(batch.x, attack.goals(batch))


def _after(model: SubjectModel, batch: Data, z: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        logits = model.module(z).float()
    return {"wrong": logits.argmax(1).ne(batch.y), "loss": cross_entropy(logits, batch.y)}


def _compare(
    step: Attacker, model: SubjectModel, batch: Data, other: Tensor, pull: Tensor, alpha: float
) -> dict[str, Tensor]:
    """Shares of one sample's numbers, and how far apart the two points are."""
    z = _end(step, model, batch)
    apart = (z - other).abs().flatten(1) / step.epsilon
    room = ThreatSet.around(batch.x, Norm.LINF, step.epsilon, box=step.box).room(pull)
    predicted = (pull == 0) | (alpha * pull.abs() >= room * (1 - _EQUAL))
    return {
        "equal": (apart <= _EQUAL * 10).double().mean(1),
        "predicted": predicted.flatten(1).double().mean(1),
        "same": (apart <= _EQUAL * 10).all(1),
        "distance": apart.amax(1),
        **_after(model, batch, z),
    }


def _table(labels: list[str], means: Mapping[str, list[float]], alphas: tuple[float, ...]) -> Table:
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            label, f"{alpha:g}", *(means[f"step {name}/{place}"][index] for name in _MEASURED),
            means[f"step wrong/{place}"][index], means[f"wrong/{place}"][0],
            means[f"step loss/{place}"][index], means[f"loss/{place}"][0],
        )
        for place, label in enumerate(labels)
        for index, alpha in enumerate(alphas)
    )  # fmt: skip
    shares = ("numbers equal", "numbers equal by theory", "samples equal", "wrong after it", "wrong after the other")
    return Table(_COLUMNS, rows, _CAPTION, Look(shares=frozenset(shares)))


def _shares(labels: list[str], means: Mapping[str, list[float]], params: OneStepParams) -> bytes:
    panels = {
        label: {
            "measured": Curve(x=params.alphas, y=means[f"step equal/{place}"]),
            "theory: |alpha gradient| reaches the edge": Curve(x=params.alphas, y=means[f"step predicted/{place}"]),
        }
        for place, label in enumerate(labels)
    }
    return curves(
        panels, _alpha_axis(params), Axis(label=f"share of numbers equal to {params.against.uses}", share=True)
    )


def _errors(labels: list[str], means: Mapping[str, list[float]], params: OneStepParams) -> bytes:
    panels = {
        label: {
            f"{params.attack.uses}, one step": Curve(x=params.alphas, y=means[f"step wrong/{place}"]),
            params.against.uses: Curve(x=params.alphas, y=means[f"wrong/{place}"] * len(params.alphas)),
        }
        for place, label in enumerate(labels)
    }
    return curves(panels, _alpha_axis(params), Axis(label="samples that are wrong", share=True))


def _alpha_axis(params: OneStepParams) -> Axis:
    return Axis(label=f"alpha: what {params.attack.uses} multiplies the gradient with", scale="log")
