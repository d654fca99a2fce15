"""Rotation and translation, worst of k: Engstrom, Tran, Tsipras, Schmidt and Madry, "Exploring the landscape of spatial
robustness", ICML 2019.

Draw k poses evenly for each sample and keep its own worst; k = 10 is what the paper trains against, since it costs ten
forward passes and no gradient. A grid finds more for more queries.
"""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.trials import Trials, keep_best
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_geometric import RotationRandomParams
from advorch_builtins.attacks.poses import drawn_pose, warp_of


def perturb(victim: Victim, x: Tensor, y: Tensor, params: RotationRandomParams, rng: Draws) -> Tensor:
    """The worst of the drawn poses for each sample."""
    warp = warp_of(victim, params)

    def propose(ball: ThreatSet, best: Tensor, number: int, rng: Draws) -> Tensor:
        return ball.project(warp(ball.x, drawn_pose(rng, ball.x)))

    return keep_best(victim, x, y, Trials(propose=propose, queries=params.draws), rng)
