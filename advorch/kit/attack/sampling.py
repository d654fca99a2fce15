"""Attacks that look nowhere: draw, ask for the label, draw again."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim

Sampler: TypeAlias = Callable[[ThreatSet, Draws], Tensor]


def first_that_fools(victim: Victim, x: Tensor, y: Tensor, sampler: Sampler, draws: int, rng: Draws) -> Tensor:
    """The first of so many draws that fools each sample, else its last; training takes one and asks nothing."""
    ball = victim.ball(x)
    z = sampler(ball, rng.fork(0))
    if victim.finish is not Finish.FOOLED:
        return z
    standing = torch.arange(len(x), device=x.device)
    for number in range(draws):
        drawn = sampler(ball.take(standing), rng.fork(number).take(standing))
        z = z.index_copy(0, standing, drawn)
        standing = standing[~victim.take(standing).fooled(drawn, y[standing])]
        if not len(standing):
            break
    return z
