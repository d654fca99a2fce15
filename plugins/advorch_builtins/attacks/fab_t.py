"""FAB-T: Croce and Hein, "Reliable evaluation of adversarial robustness", ICML 2020, the targeted form of FAB.

One search for each of the likeliest other classes, each against its boundary with the label alone: one gradient a step
where FAB takes one a class. The goal is still any wrong label, and the nearest point of all searches is returned.
"""

from torch import Tensor

from advorch.kit.attack.classes import runners_up
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.shrink import outcome
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import FabTParams
from advorch_builtins.attacks.fab import approach


def perturb(victim: Victim, x: Tensor, y: Tensor, params: FabTParams, rng: Draws) -> Tensor:
    """Against one boundary after the other; who has been fooled within a fixed epsilon leaves."""
    best = Nearest.nothing(x)
    for rank, classes in enumerate(runners_up(victim, x, y, params.targets + 1).T):
        best = approach(victim, x, y, params, rng.fork(rank), best=best, memory={"classes": classes[:, None]})
    return outcome(victim, x, best)
