"""The smallest epsilon at which a fixed-budget attack fools each sample."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.victim import Victim
from advorch.params import Params
from advorch.protocols import AttackFn

_DOUBLINGS = 8
_HALVINGS = 10


class Smallest(NamedTuple):
    """Infinite, with the clean sample, where the attack did not fool at any epsilon tried."""

    epsilon: Tensor
    z: Tensor


def smallest_epsilon(  # noqa: PLR0913 - an attack's own arguments, and how far to look
    perturb: AttackFn[Any], victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws, *, largest: float | Tensor
) -> Smallest:
    """By sample: double epsilon up to `largest` until it fools, then halve the gap below; within 0.1 % of itself.

    The largest is one, or one a sample; the point is the adversarial at that epsilon.
    Call it inside `untouched`, for samples that the model gets right.
    """
    attempts = _Attempts(perturb=perturb, victim=victim, x=x, y=y, params=params, rng=rng)
    reach = torch.as_tensor(largest, dtype=torch.float64, device=x.device).expand(len(x))
    high = reach * 2.0**-_DOUBLINGS
    low, known = torch.zeros_like(high), Smallest(torch.full_like(high, torch.inf), x)
    for _ in range(_DOUBLINGS + 1):
        known = attempts.at(high, known.epsilon.isinf(), known)
        failed = known.epsilon.isinf()
        low, high = torch.where(failed, high, low), torch.where(failed, 2 * high, high)
    for _ in range(_HALVINGS):
        middle = (low + known.epsilon) / 2
        known = attempts.at(middle, known.epsilon.isfinite(), known)
        low = torch.where(known.epsilon > middle, middle, low)
    return known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempts:
    """One attack on the same samples, at one epsilon after the other."""

    perturb: AttackFn[Any]
    victim: Victim
    x: Tensor
    y: Tensor
    params: Params
    rng: Draws

    def at(self, epsilon: Tensor, among: Tensor, known: Smallest) -> Smallest:
        """What is known after one more epsilon for some of the samples."""
        rows = among.nonzero().squeeze(1)
        if not len(rows):
            return known
        part = self.victim.resized(epsilon).take(rows)
        z = self.perturb(part, self.x[rows], self.y[rows], self.params, self.rng.take(rows)).detach()
        fooled = part.fooled(z, self.y[rows])
        radius = torch.where(fooled, epsilon[rows], known.epsilon[rows])
        point = torch.where(per_sample(fooled, z), z, known.z[rows])
        return Smallest(known.epsilon.index_copy(0, rows, radius), known.z.index_copy(0, rows, point))
