"""Near PGD: the inner attack of Zhang et al., "Theoretically principled trade-off between robustness and accuracy"
(TRADES), ICML 2019 (arXiv:1901.08573), and of Wang et al. (MART), ICLR 2020.

z <- project(z + alpha d(grad L(z))) from x + sigma N(0, 1). L is KL(p(x) || p(z)), which asks for no label, or the
cross-entropy. The divergence has no slope at x itself: without the noise it goes nowhere.
"""

from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.directions import sign, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.recipe import Walk
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.step import Start
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch.kit.training.divergence import kl
from advorch_builtins.attacks.catalog_near import NearPgdParams

_STEEPEST = {Norm.LINF: sign, Norm.L2: unit_l2}


def perturb(victim: Victim, x: Tensor, y: Tensor, params: NearPgdParams, rng: Draws) -> Tensor:
    """One ascent from beside the sample."""
    recipe = Recipe(
        steps=params.steps,
        direction=_STEEPEST[victim.norm],
        schedule=share_of_epsilon(2.5 / params.steps) if params.alpha is None else constant(params.alpha),
        start=_beside(params.sigma),
        approach=_look_at_clean if params.loss == "kl" else None,
        aim=_away_from_clean if params.loss == "kl" else None,
        objective=cross_entropy,
    )
    return ascend(victim, x, y, recipe, rng)


def _beside(sigma: float) -> Start:
    def start(ball: ThreatSet, rng: Draws) -> Tensor:
        return ball.project(ball.x + sigma * ball.masked(rng.fork("start").normal(ball.x.shape[1:], like=ball.x)))

    return start


def _look_at_clean(walk: Walk, recipe: Recipe) -> Tensor:
    """What the model says of the samples is asked once, not at every step."""
    walk.memory["clean"] = walk.victim.of_classes(walk.victim.value(walk.ball.x, walk.y).logits)
    return walk.z


def _away_from_clean(walk: Walk) -> Objective:
    return lambda logits, y: kl(walk.memory["clean"].to(logits.dtype), logits)
