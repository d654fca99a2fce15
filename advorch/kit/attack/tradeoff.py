"""The constant between distance and goal, `||z - x||^2 + c * loss(z)`, searched for each sample by itself."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.shrink import unfinished
from advorch.kit.attack.victim import Victim

Minimise: TypeAlias = Callable[[Victim, Tensor, Tensor, Tensor], Nearest]

_STRIDE = 10.0  # until a sample has seen both failure and success


def smallest_constant(
    victim: Victim, x: Tensor, y: Tensor, minimise: Minimise, *, first: float, searches: int
) -> Nearest:
    """The nearest of so many minimisations: a smaller constant after success, a larger one after failure.

    Tenfold steps until both are known, then by bisection of the logarithm.
    """
    best = Nearest.nothing(x)
    constant = torch.full((len(x),), first, dtype=torch.float64, device=x.device)
    low, high = torch.zeros_like(constant), torch.full_like(constant, torch.inf)
    for _ in range(searches):
        rows = unfinished(victim, x, best)
        if not len(rows):
            break
        found = minimise(victim.take(rows), x[rows], y[rows], constant[rows])
        best = best.put(rows, best.take(rows).joined(found))
        succeeded = torch.zeros_like(best.fooled).index_copy(0, rows, found.fooled)
        high, low = torch.where(succeeded, constant, high), torch.where(succeeded, low, constant)
        constant = _between(low, high)
    return best


def _between(low: Tensor, high: Tensor) -> Tensor:
    middle = (low * high).sqrt()
    return torch.where(low == 0, high / _STRIDE, torch.where(high.isinf(), low * _STRIDE, middle))
