"""Several attacks as one, the worst case of each sample: each attack is for those whom no attack before it fooled.

What an attack says of itself does not count: its points are judged here, in full precision, and whoever was not fooled
goes on to the next. Those whom nobody fools keep the point of the highest margin of all attacks. Every attack has
random numbers of its own by name, so that the same link does the same to a sample in any chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.victim import Finish, Victim
from advorch.params import Params
from advorch.protocols import AttackFn


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One attack of a chain, with its settings."""

    name: str
    perturb: AttackFn[Any]
    params: Params


def chain(victim: Victim, x: Tensor, y: Tensor, links: Sequence[Link], rng: Draws) -> Tensor:
    """The first point that fools, else the one of the highest margin; in training all attacks are for everybody."""
    best = Best.nothing(x)
    for link in links:
        rows = best.standing() if victim.finish is Finish.FOOLED else torch.arange(len(x), device=x.device)
        if not len(rows):
            break
        part = _after(link, victim.take(rows), x[rows], y[rows], best.take(rows), rng.take(rows))
        best = best.put(rows, part)
    return best.z


def _after(link: Link, victim: Victim, x: Tensor, y: Tensor, best: Best, rng: Draws) -> Best:
    z = link.perturb(victim, x, y, link.params, rng.fork(link.name))
    value, logits = victim.value(z, y, margin)
    return best.after(z, value, victim.judge(logits, y) if victim.finish is Finish.FOOLED else best.fooled)
