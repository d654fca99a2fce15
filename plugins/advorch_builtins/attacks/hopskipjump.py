"""HopSkipJump: Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack", S&P 2020.

From a point that fools, noise or one of the attacker's own samples (which a target needs), repeat: bisect back to the
boundary; estimate its normal from labels alone, as the mean of (phi - mean phi) u over draws u of length one, with phi
= +-1 for whether z + delta u fools; jump along it (its sign in linf), halving the jump until the point fools. Iteration
t asks draws * sqrt(t) questions and jumps distance / sqrt(t).
Every sample has its own draws, normal and jump: a public library normalises over the wrong axes. Where the label is
random, or the boundary is not smooth at the scale delta, the normal is noise.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.api import Norm, span
from advorch.kit.attack.decision import back_to_boundary, clipped, start_that_fools, unfinished
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.estimators import portions
from advorch.kit.attack.rows import euclidean, per_sample, size
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_black_box import HopSkipJumpParams

_MOST_DRAWS = 10_000
_HALVED_JUMPS = 15


def perturb(victim: Victim, x: Tensor, y: Tensor, params: HopSkipJumpParams, rng: Draws) -> Tensor:
    """The boundary point where the last iteration ends."""
    z, fooled = start_that_fools(victim, x, y, params.starts, rng.fork("start"))
    rows = unfinished(victim, x, z, fooled)
    if len(rows):  # not every model takes a batch of nothing
        z = z.index_copy(0, rows, _bisected(victim.take(rows), x[rows], y[rows], z[rows]))
    for number in range(1, params.steps + 1):
        rows = unfinished(victim, x, z, fooled)
        if not len(rows):
            break
        draws = min(round(params.draws * math.sqrt(number)), _MOST_DRAWS)
        part = victim.take(rows)
        place = Place(part, part.ball_of(x[rows], math.inf), z[rows], y[rows])
        z = z.index_copy(0, rows, _hop(place, number, draws, rng.fork(number).take(rows)))
    return victim.ball(x).project(z)


@dataclass(frozen=True, slots=True)
class Place:
    """A point of each sample, on the boundary where it is asked about."""

    victim: Victim
    space: ThreatSet
    z: Tensor
    y: Tensor


def _hop(place: Place, number: int, draws: int, rng: Draws) -> Tensor:
    """One iteration from a point on the boundary; whoever lands further away stays."""
    victim, space, z = place.victim, place.space, place.z
    distance = space.distance(z)
    normal = boundary_normal(place, _radius(place, number), draws, rng)
    jumped = _jump(place, normal, (distance / math.sqrt(number)).to(z.dtype))
    landed = _bisected(victim, space.x, place.y, jumped)
    return torch.where(per_sample(space.distance(landed) < distance, z), landed, z)


def boundary_normal(place: Place, radius: Tensor, draws: int, rng: Draws) -> Tensor:
    """The direction into where the model is fooled, of length one, from the labels of draws around a boundary point."""
    victim, space, z = place.victim, place.space, place.z
    weighted, plain = torch.zeros_like(z), torch.zeros_like(z)
    votes = torch.zeros(len(z), dtype=z.dtype, device=z.device)
    reach = radius.view(-1, *[1] * z.dim())
    for count in portions(victim, draws, len(z)):
        points = clipped(space, z[:, None] + reach * _directions(victim.norm, space, rng, count))
        way = (points - z[:, None]) / reach
        vote = victim.fooled(points.flatten(0, 1), place.y.repeat_interleave(count)).view(-1, count).to(z.dtype) * 2 - 1
        weighted = weighted + (way * vote.view(*vote.shape, *[1] * (z.dim() - 1))).sum(1)
        plain, votes = plain + way.sum(1), votes + vote.sum(1)
    mean = votes / draws
    baseline = torch.where(mean.abs() < 1, mean, 0)  # where all agree there is nothing to compare with
    normal = weighted - per_sample(baseline, z) * plain
    return normal / per_sample(euclidean(normal).to(z.dtype).clamp(min=torch.finfo(z.dtype).tiny), z)


def _directions(norm: Norm, space: ThreatSet, rng: Draws, count: int) -> Tensor:
    """Draws of length one for each sample."""
    shape = (count, *space.x.shape[1:])
    u = rng.uniform(shape, -1, 1, like=space.x) if norm is Norm.LINF else rng.normal(shape, like=space.x)
    u = u if space.mask is None else torch.where(space.mask[:, None], u, 0)
    length: Tensor = torch.linalg.vector_norm(u.flatten(2), dim=2).clamp(min=torch.finfo(u.dtype).tiny)
    return u / length.view(*u.shape[:2], *[1] * (u.dim() - 2))


def _radius(place: Place, number: int) -> Tensor:
    """How far around the point to ask: a tenth of the box, then what the bisection left uncertain.

    In both norms that is the distance over how many numbers a sample has; never so little that rounding answers.
    """
    z, box = place.z, place.victim.box
    low, high = span(box) if box is not None else (-math.inf, math.inf)
    if number == 1 and math.isfinite(high - low):
        return z.new_full((len(z),), 0.1 * (high - low))
    least = 64 * torch.finfo(z.dtype).eps * math.sqrt(size(z))
    return (place.space.distance(z) / size(z)).to(z.dtype).clamp(min=least)


def _jump(place: Place, normal: Tensor, length: Tensor) -> Tensor:
    """The longest jump that still fools, of so many halvings; none if not even the shortest does."""
    z = place.z
    direction = normal.sign() if place.victim.norm is Norm.LINF else normal
    landed, pending = z, torch.arange(len(z), device=z.device)
    for halving in range(_HALVED_JUMPS):
        step = direction[pending] * per_sample(length[pending] / 2**halving, z)
        point = clipped(place.space.take(pending), (z[pending] + step)[:, None]).squeeze(1)
        fooled = place.victim.take(pending).fooled(point, place.y[pending])
        landed = landed.index_copy(0, pending[fooled], point[fooled])
        pending = pending[~fooled]
        if not len(pending):
            break
    return landed


def _bisected(victim: Victim, x: Tensor, y: Tensor, far: Tensor) -> Tensor:
    """Back to the boundary, as exactly as the paper asks for this many numbers and the dtype allows."""
    exponent = 2.0 if victim.norm is Norm.LINF else 1.5
    return back_to_boundary(victim, x, y, far, min(max(math.ceil(exponent * math.log2(size(x))), 8), 22))
