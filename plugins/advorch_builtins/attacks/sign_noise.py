"""Sign noise: the random counterpart of the sign step of Goodfellow et al., ICLR 2015.

A corner of the linf ball by coin flips, as long as an FGSM step and blind to the model: what it finds, distance alone
explains.
"""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.sampling import first_that_fools
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog import SignNoiseParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: SignNoiseParams, rng: Draws) -> Tensor:
    """Draw corners until the label changes."""
    return first_that_fools(victim, x, y, _corner, params.draws, rng)


def _corner(ball: ThreatSet, rng: Draws) -> Tensor:
    signs = rng.sign(ball.x.shape[1:], like=ball.x)
    return ball.project(ball.x + signs * per_sample(ball.epsilon, signs))
