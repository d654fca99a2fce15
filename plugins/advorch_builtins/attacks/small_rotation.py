"""Small rotation: a control of Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", 2015.

The picture turned by an angle drawn evenly, blind to the model: a change that a person would not mind and that nobody
has chosen. What it finds, any small change finds; training on it leaves FGSM as strong as before.
"""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.sampling import first_that_fools
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.warp import Warp, black_of
from advorch_builtins.attacks.catalog_controls import SmallRotationParams
from advorch_builtins.attacks.poses import drawn_pose


def perturb(victim: Victim, x: Tensor, y: Tensor, params: SmallRotationParams, rng: Draws) -> Tensor:
    """Draw angles until the label changes; training takes the first."""
    warp = Warp(degrees=params.degrees, shift=0.0, padding=params.padding, black=black_of(victim.box))

    def turned(ball: ThreatSet, rng: Draws) -> Tensor:
        return ball.project(warp(ball.x, drawn_pose(rng, ball.x)))

    return first_that_fools(victim, x, y, turned, params.draws, rng)
