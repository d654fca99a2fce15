"""Many ascents around one sample, each until its loss no longer grows, and what lies between their ends."""

from dataclasses import dataclass, replace
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import Norm, Seeds
from advorch.kit.attack.directions import to_unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import euclidean
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch_builtins.evaluations.catalog_measured import RestartsParams

POINTS = 11  # of a segment, its ends included


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Ascents in rows: the highest points of the first; of each its loss, verdict, end, and all losses."""

    z: Tensor
    loss: Tensor
    fooled: Tensor
    stopped: Tensor
    curve: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of maxima: distance over the mean length of the two changes, their angle, and the loss on the way."""

    distance: Tensor
    angle: Tensor
    segment: Tensor


def rows_of(subject: Subject, model: SubjectModel, sample: Data, params: RestartsParams) -> dict[str, Tensor]:
    """All that is kept of one sample; the draws are of the sample and of the number of the ascent."""
    rng = Draws(Seeds(subject.seed).stream(f"restarts {int(sample.ids[0])}"), torch.arange(params.restarts))
    with untouched(model.module):
        parts = [
            _climb(_victim(subject, model, params), sample, params, rng.take(slice(first, first + params.batch)))
            for first in range(0, params.restarts, params.batch)
        ]
        best = torch.cat([part.z for part in parts])[: params.maxima]
        pairs = _between(model, sample, best)
    count = min(params.curves, params.restarts)
    return {
        "loss": torch.cat([part.loss for part in parts]),
        "fooled": torch.cat([part.fooled for part in parts]),
        "stopped": torch.cat([part.stopped for part in parts]),
        "curve": torch.cat([part.curve for part in parts])[:count],
        "distance": pairs.distance,
        "angle": pairs.angle,
        "segment": pairs.segment,
    }


def _victim(subject: Subject, model: SubjectModel, params: RestartsParams) -> Victim:
    norm = Norm(params.norm)
    return Victim(model.module, box=subject.data.box, norm=norm, epsilon=params.epsilon, access=model.access)


def _climb(victim: Victim, sample: Data, params: RestartsParams, rng: Draws) -> Runs:
    """Projected gradient ascent; who has gained nothing for so many steps stands still."""
    x = sample.x.expand(len(rng), *sample.x.shape[1:])
    y, ball = sample.y.expand(len(rng)), victim.ball(x)
    alpha = params.epsilon / 20 if params.alpha is None else params.alpha
    z = ball.random(rng.fork("start"))
    runs = _nothing(z, params.steps)
    mark, idle, live = torch.full_like(runs.loss, -torch.inf), torch.zeros_like(runs.stopped), torch.arange(len(z))
    for number in range(params.steps + 1):
        value, gradient, logits = victim.value_and_gradient(z, y[live])
        _note(runs, live, number, z, value, victim.judge(logits, y[live]))
        grown = value.double() > mark[live] * (1 + params.tolerance) + 1e-9
        mark[live] = torch.where(grown, value.double(), mark[live])
        idle[live] = torch.where(grown, 0, idle[live] + 1)
        staying = idle[live] < params.patience
        runs.stopped[live[~staying]] = number
        live, z, gradient = live[staying], z[staying], gradient[staying]
        if not len(live):
            break
        step = gradient.sign() if victim.norm is Norm.LINF else to_unit_l2(gradient)
        z = _held(ball, live).project(z + alpha * step)
    return replace(runs, z=runs.z[: params.maxima])


def _held(ball: ThreatSet, live: Tensor) -> ThreatSet:
    return ball if len(live) == len(ball) else ball.take(live)


def _nothing(z: Tensor, steps: int) -> Runs:
    loss = torch.full((len(z),), -torch.inf, dtype=torch.float64, device=z.device)
    return Runs(
        z=z.clone(),
        loss=loss,
        fooled=torch.zeros_like(loss, dtype=torch.bool),
        stopped=torch.full_like(loss, steps + 1, dtype=torch.int64),
        curve=loss.new_zeros(len(z), steps + 1),
    )


def _note(runs: Runs, live: Tensor, number: int, z: Tensor, value: Tensor, fooled: Tensor) -> None:
    """Whoever stands still keeps its last loss on the curve."""
    value = value.double()
    runs.curve[live, number:] = value[:, None].expand(-1, runs.curve.shape[1] - number)
    higher = value > runs.loss[live]
    rows = live[higher]
    runs.z[rows], runs.loss[rows], runs.fooled[rows] = z[higher], value[higher], fooled[higher]


def _between(model: SubjectModel, sample: Data, best: Tensor) -> Pairs:
    """All pairs of the first maxima."""
    pairs = torch.tensor(list(combinations(range(len(best)), 2)), device=best.device)
    first, second = best[pairs[:, 0]], best[pairs[:, 1]]
    away, other = first - sample.x, second - sample.x
    lengths = euclidean(away), euclidean(other)
    cosine = (away * other).flatten(1).double().sum(1) / (lengths[0] * lengths[1]).clamp(min=1e-300)
    return Pairs(
        distance=euclidean(first - second) / (0.5 * (lengths[0] + lengths[1])).clamp(min=1e-300),
        angle=cosine.clamp(-1, 1).acos().rad2deg(),
        segment=torch.stack([_on_the_way(model, sample, first, second, share) for share in _shares()], 1),
    )


def _shares() -> list[float]:
    return [number / (POINTS - 1) for number in range(POINTS)]


@torch.no_grad()
def _on_the_way(model: SubjectModel, sample: Data, first: Tensor, second: Tensor, share: float) -> Tensor:
    point = torch.lerp(first, second, share)
    loss = functional.cross_entropy(model.module(point), sample.y.expand(len(point)), reduction="none")
    return loss.double()


__all__ = ["POINTS", "Pairs", "Runs", "rows_of"]
