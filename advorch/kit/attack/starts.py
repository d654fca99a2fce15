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


def at_normal(ball: ThreatSet, rng: Draws) -> Tensor:
    """At the nearest point to a normal draw: in l1 that moves few numbers."""
    return ball.project(ball.x + rng.fork("start").normal(ball.x.shape[1:], like=ball.x))
