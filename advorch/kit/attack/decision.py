"""Attacks that see labels alone: a first point that fools, and the way from there back to the sample."""

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import largest, per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Budget, Norm

Start: TypeAlias = Callable[[ThreatSet, int, Draws], Tensor]


def start_that_fools(victim: Victim, x: Tensor, y: Tensor, draws: int, rng: Draws) -> tuple[Tensor, Tensor]:
    """A point far away to begin at: one of the attacker's own samples where there are some, else noise.

    Noise is rarely taken for a class that is given, so that a target needs samples.
    """
    if victim.candidates is None:
        return noise_that_fools(victim, x, y, draws, rng)
    return _first(partial(_one_of, victim.candidates), victim, x, y, draws, rng)


def noise_that_fools(victim: Victim, x: Tensor, y: Tensor, draws: int, rng: Draws) -> tuple[Tensor, Tensor]:
    """The first of so many points far away that fools each sample, else the last one drawn; and who was fooled."""
    return _first(_anywhere, victim, x, y, draws, rng)


def _first(start: Start, victim: Victim, x: Tensor, y: Tensor, draws: int, rng: Draws) -> tuple[Tensor, Tensor]:
    ball = victim.ball_of(x, math.inf)
    z = start(ball, 0, rng.fork(0))
    standing = torch.arange(len(x), device=x.device)
    for number in range(draws):
        drawn = start(ball.take(standing), number, rng.fork(number).take(standing))
        z = z.index_copy(0, standing, drawn)
        standing = standing[~victim.take(standing).fooled(drawn, y[standing])]
        if not len(standing):
            break
    fooled = torch.ones(len(x), dtype=torch.bool, device=x.device)
    return z, fooled.index_fill(0, standing, False)


def between(norm: Norm, x: Tensor, far: Tensor, share: Tensor) -> Tensor:
    """On the way from the samples to points far away, at a share of their distance: along the line, or in linf with no
    number changed by more than that share of the largest change.
    """
    weight = per_sample(share, x)
    if norm is not Norm.LINF:
        return torch.lerp(x, far, weight.expand_as(x))
    reach = per_sample(largest(far - x), x) * weight
    return torch.where(weight >= 1, far, x + (far - x).clamp(-reach, reach))


def back_to_boundary(victim: Victim, x: Tensor, y: Tensor, far: Tensor, halvings: int) -> Tensor:
    """From points that fool, as far back on the way to their samples as they still do, by bisection."""
    low, high = x.new_zeros(len(x)), x.new_ones(len(x))
    for _ in range(halvings):
        middle = (low + high) / 2
        fooled = victim.fooled(between(victim.norm, x, far, middle), y)
        low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)
    return between(victim.norm, x, far, high)


def clipped(space: ThreatSet, points: Tensor) -> Tensor:
    """Several points for each sample, brought into the box."""
    if space.lower is None or space.upper is None:
        return points
    return points.clamp(space.lower[:, None], space.upper[:, None])


def unfinished(victim: Victim, x: Tensor, z: Tensor, fooled: Tensor) -> Tensor:
    """The positions of those who fool and may still come nearer; a fixed budget asks for no more than its epsilon."""
    if victim.budget is Budget.MINIMAL or victim.finish is not Finish.FOOLED:
        return fooled.nonzero().squeeze(1)
    return (fooled & ~victim.ball(x).contains(z)).nonzero().squeeze(1)


def _one_of(candidates: Tensor, ball: ThreatSet, number: int, rng: Draws) -> Tensor:
    """A candidate for each sample, all equally likely; what is masked stays."""
    chosen = rng.integers((), 0, len(candidates)).to(candidates.device)
    return ball.project(candidates[chosen].to(ball.x))


def _anywhere(ball: ThreatSet, number: int, rng: Draws) -> Tensor:
    """Uniform in the box; where it has no end, around the sample and twice as far every time."""
    x = ball.x
    if ball.lower is None or ball.upper is None:
        return x + ball.masked(rng.normal(x.shape[1:], like=x)) * 2.0**number
    share = rng.uniform(x.shape[1:], like=x)
    width = ball.upper - ball.lower
    bounded = torch.isfinite(width)
    inside = ball.lower + torch.where(bounded, width, 0) * share
    return torch.where(bounded, inside.clamp(ball.lower, ball.upper), x + (2 * share - 1) * 2.0**number)
