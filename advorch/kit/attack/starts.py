"""Where an ascent begins."""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.threat_set import ThreatSet


def at_clean(ball: ThreatSet, rng: Draws) -> Tensor:
    """At the sample itself."""
    return ball.x


def at_random(ball: ThreatSet, rng: Draws) -> Tensor:
    """Anywhere in the ball, evenly."""
    return ball.random(rng.fork("start"))
