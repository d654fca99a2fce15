"""What the attacks by rotation and translation have in common: the threat, and poses drawn from it."""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.warp import Warp, black_of
from advorch_builtins.attacks.catalog_geometric import PoseParams


def warp_of(victim: Victim, params: PoseParams) -> Warp:
    """The poses that the parameters allow."""
    return Warp(degrees=params.degrees, shift=params.shift, padding=params.padding, black=black_of(victim.box))


def drawn_pose(rng: Draws, x: Tensor) -> Tensor:
    """Any pose, evenly, for each sample."""
    return rng.uniform((3,), -1.0, 1.0, like=x)
