"""Rotation and translation by grid search: Engstrom, Tran, Tsipras, Schmidt and Madry, "Exploring the landscape of
spatial robustness", ICML 2019.

Ask about every pose of a grid (31 angles by 5 by 5 translations in the paper), the extreme ones first, and keep for
each sample its own worst: a public library picks one pose for the whole data set. With three numbers to choose
this beats following the gradient, whose landscape is full of local maxima. On samples with a black margin as wide as
the largest shift nothing leaves the picture, which is the paper's black canvas. Poses between the grid's are missed.
"""

import itertools

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.trials import Trials, keep_best
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_geometric import RotationGridParams
from advorch_builtins.attacks.poses import warp_of

Pose = tuple[float, float, float]


def perturb(victim: Victim, x: Tensor, y: Tensor, params: RotationGridParams, rng: Draws) -> Tensor:
    """The worst pose of the grid for each sample."""
    warp, grid = warp_of(victim, params), poses(params)

    def propose(ball: ThreatSet, best: Tensor, number: int, rng: Draws) -> Tensor:
        pose = torch.tensor(grid[number], dtype=x.dtype, device=x.device)
        return ball.project(warp(ball.x, pose.expand(len(ball), -1)))

    return keep_best(victim, x, y, Trials(propose=propose, queries=len(grid)), rng)


def poses(params: RotationGridParams) -> list[Pose]:
    """The grid, from its corners inward; the untouched picture comes last."""
    places = _ticks(params.places)
    grid = itertools.product(_ticks(params.angles), places, places)
    return sorted(grid, key=lambda pose: -sum(map(abs, pose)))


def _ticks(count: int) -> list[float]:
    return [0.0] if count == 1 else [2 * number / (count - 1) - 1 for number in range(count)]
