"""FAB-T: Croce and Hein, "Reliable evaluation of adversarial robustness", ICML 2020, the targeted form of FAB.

One search for each of the likeliest other classes, each against its boundary with the label alone: one gradient a step
where FAB takes one a class. The goal is still any wrong label, and the nearest point of all searches is returned.
"""

from torch import Tensor

from advorch.kit.attack.classes import runners_up
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.shrink import outcome, unfinished
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog_minimal import FabTParams
from advorch_builtins.attacks.fab import approach, side_by_side

_FULL = 48  # rows: a batch that is no larger takes as long for a row as one that is


def perturb(victim: Victim, x: Tensor, y: Tensor, params: FabTParams, rng: Draws) -> Tensor:
    """Against one boundary after the other; who has been fooled within a fixed epsilon leaves.

    Where few are left, searches towards several classes fill the batch; what is found is the same.
    """
    best, classes = Nearest.nothing(x), runners_up(victim, x, y, params.targets + 1)
    done = 0
    while done < classes.shape[1]:
        count = _together(victim, x, best) if done and params.restarts == 1 else 1
        columns = classes[:, done : done + count]
        if columns.shape[1] > 1:
            best = side_by_side(victim, x, y, params, best=best, classes=columns)
        else:
            best = approach(victim, x, y, params, rng.fork(done), best=best, memory={"classes": columns})
        done += columns.shape[1]
    return outcome(victim, x, best)


def _together(victim: Victim, x: Tensor, best: Nearest) -> int:
    """How many searches of everybody who is left go into a batch."""
    left = max(1, len(unfinished(victim, x, best)))
    return max(1, min(victim.batch or _FULL, _FULL) // left)
