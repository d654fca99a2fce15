"""Slopes from values alone: finite differences along drawn directions."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import Objective
from advorch.kit.attack.recipe import Estimator
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.victim import Victim
from advorch.kit.box import into_box

Noise: TypeAlias = Callable[[Draws, Tensor, int], Tensor]

_ROWS = 4096  # asked about at once where nobody says how many; more would only cost memory


def normal_noise(rng: Draws, z: Tensor, pairs: int) -> Tensor:
    """So many standard normal directions for each sample."""
    return rng.normal((pairs, *z.shape[1:]), like=z)


def sign_noise(rng: Draws, z: Tensor, pairs: int) -> Tensor:
    """So many directions of coin flips for each sample."""
    return rng.sign((pairs, *z.shape[1:]), like=z)


def antithetic(noise: Noise, sigma: float, pairs: int) -> Estimator:
    """The mean of (J(z + sigma u) - J(z - sigma u)) u / (2 sigma) over drawn directions u, for each sample by itself.

    Nobody may ask about points outside the box, so both ends are brought into it and the way between them stands for u.
    """

    def slope(victim: Victim, z: Tensor, y: Tensor, objective: Objective, rng: Draws) -> Slope:
        value, logits = victim.value(z, y, objective)
        gradient = torch.zeros_like(z)
        for count in portions(victim, pairs, len(z)):
            u = noise(rng, z, count)
            above, below = (_within(victim, z[:, None] + step) for step in (sigma * u, -sigma * u))
            rise = _ask(victim, above, y, objective) - _ask(victim, below, y, objective)
            gradient = gradient + (
                per_sample(rise, u.flatten(0, 1)).view(len(z), count, *[1] * (z.dim() - 1)) * (above - below)
            ).sum(1)
        return Slope(value, gradient / (4 * sigma * sigma * pairs), logits)

    return slope


def portions(victim: Victim, draws: int, samples: int) -> Iterator[int]:
    """So many draws for each sample, as many at a time as the model takes rows at once."""
    most = max(1, min(victim.batch or _ROWS, _ROWS) // max(samples, 1))
    for start in range(0, draws, most):
        yield min(most, draws - start)


def _within(victim: Victim, points: Tensor) -> Tensor:
    return into_box(points, victim.box, tuple(points.shape[2:]))


def _ask(victim: Victim, points: Tensor, y: Tensor, objective: Objective) -> Tensor:
    """The objective of several points for each sample."""
    count = points.shape[1]
    value = victim.value(points.flatten(0, 1), y.repeat_interleave(count), objective).value
    return value.view(-1, count)
