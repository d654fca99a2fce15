"""Linear models under the sign of the gradient (Goodfellow, Shlens and Szegedy, ICLR 2015, sections 3 and 5).

For logits W x + b the margin over class k falls by at most epsilon |w_y - w_k|_1 in an linf ball, which the sign
attains; cut to a box, by the sum over numbers of |w_y - w_k| times the room that each has. With two classes one step of
FGSM is that worst case; with more it aims at all other classes at once and may miss it. Theory gives the exact robust
accuracy either way.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from advorch.api import ErrorClass, Norm, StageFailed
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.figures import is_image
from advorch.kit.evaluation.findings import Findings, metrics_by_label
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations import linear_report
from advorch_builtins.evaluations.catalog_explaining import LinearParams
from advorch_builtins.evaluations.linear_report import Case

_LINEAR = 1e-4  # of the spread of the logits


class Weights(NamedTuple):
    """Logits `weight x + bias`, the weights in the shape of a sample."""

    weight: Tensor
    bias: Tensor

    def margins(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the label over each class; its own is endless."""
        logits = x.flatten(1) @ self.weight.flatten(1).T + self.bias
        return (logits.gather(1, y[:, None]) - logits).scatter(1, y[:, None], torch.inf)


class Linear:
    """Batches are of clean samples; theory and one step of FGSM for each, with and without the box."""

    def map(self, subject: Subject, batch: Data, params: LinearParams) -> Mapping[str, Tensor]:
        """By model: the margin before, and after each epsilon by theory and as measured; how far from linear it is."""
        rows: dict[str, Tensor] = {}
        for place, model in enumerate(subject.models):
            weights = weights_of(model, subject.data.take(slice(1)).to(subject.device))
            found = {"bent": bent(model, weights, batch), "before": _margin(model, batch.x, batch.y)}
            for name, part in (("free", replace(batch, box=None)), ("boxed", batch)):
                found[f"theory {name}"] = _by_epsilon(params, partial(worst_margin, weights, part))
                found[f"measured {name}"] = _by_epsilon(params, partial(_after_fgsm, model, part))
            rows |= {f"{key}/{place}": column for key, column in found.items()}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: LinearParams) -> Findings:
        """Theory beside what was measured, and the weights."""
        cases = [
            Case.of(
                rows,
                model.label,
                place,
                weights_of(model, subject.data.take(slice(1)).to(subject.device)),
                params.sparse,
            )
            for place, model in enumerate(subject.models)
            if _is_linear(rows, place)
        ]
        bent_models = [model.label for place, model in enumerate(subject.models) if not _is_linear(rows, place)]
        if not cases:
            hint = "give it softmax regression, such as model `linear`"
            raise StageFailed("no model is linear", error_class=ErrorClass.USER, hint=hint)
        two = len(subject.data.classes) == 2
        return Findings(
            metrics=metrics_by_label([case.label for case in cases], [dict(case.metrics()) for case in cases]),
            tables={
                "Theory and measurement": linear_report.table(cases, params.epsilons, two=two),
                "Weights": linear_report.weights_table(cases, params.sparse),
            },
            figures=linear_report.figures(cases, params.epsilons, subject.data, is_image(subject.data.x.shape[1:])),
            notes=linear_report.notes(bent_models, two=two),
        )


def weights_of(model: SubjectModel, data: Data) -> Weights:
    """What the model computes at the first sample, extended as if it were linear; in double precision."""
    point = data.x[:1].detach().clone().requires_grad_()
    with untouched(model.module), torch.enable_grad():
        logits = model.module(point)[0]
        rows = [torch.autograd.grad(logit, point, retain_graph=True)[0][0].double() for logit in logits.unbind()]
    weight = torch.stack(rows)
    bias = logits.detach().double() - weight.flatten(1) @ point.detach().double().flatten()
    return Weights(weight, bias)


@torch.no_grad()
def bent(model: SubjectModel, weights: Weights, batch: Data) -> Tensor:
    """How far each sample's logits are from linear ones, as a share of their spread."""
    said = model.module(batch.x).double()
    linear = batch.x.double().flatten(1) @ weights.weight.flatten(1).T + weights.bias
    spread = said.amax(1) - said.amin(1)
    away: Tensor = (said - linear).abs().amax(1) / spread.clamp(min=1.0)
    return away


def worst_margin(weights: Weights, batch: Data, epsilon: float) -> Tensor:
    """The smallest margin that any point of the linf ball and the box has: exact for a linear model."""
    ball = ThreatSet.around(batch.x.double(), Norm.LINF, epsilon, box=batch.box)
    margins = weights.margins(batch.x.double(), batch.y)
    falls = [_fall(weights, ball, batch.y, k) for k in range(margins.shape[1])]
    return (margins - torch.stack(falls, 1)).amin(1)


def _fall(weights: Weights, ball: ThreatSet, y: Tensor, rival: int) -> Tensor:
    """The most that the margin over one rival can lose."""
    pull = weights.weight[rival] - weights.weight[y]
    return (pull.abs() * ball.room(pull)).flatten(1).sum(1)


def _by_epsilon(params: LinearParams, margin: "partial[Tensor]") -> Tensor:
    return torch.stack([margin(epsilon) for epsilon in params.epsilons], 1)


def _after_fgsm(model: SubjectModel, batch: Data, epsilon: float) -> Tensor:
    victim = Victim(model.module, box=batch.box, norm=Norm.LINF, epsilon=epsilon, access=model.access)
    with untouched(model.module):
        sign = victim.gradient(batch.x, batch.y).sign()
    return _margin(model, victim.ball(batch.x).project(batch.x + epsilon * sign), batch.y)


@torch.no_grad()
def _margin(model: SubjectModel, x: Tensor, y: Tensor) -> Tensor:
    """As the model says it."""
    logits = model.module(x).double()
    others = logits.scatter(1, y[:, None], -torch.inf)
    margin: Tensor = logits.gather(1, y[:, None])[:, 0] - others.amax(1)
    return margin


def _is_linear(rows: Mapping[str, Tensor], place: int) -> bool:
    return float(rows[f"bent/{place}"].max()) <= _LINEAR
