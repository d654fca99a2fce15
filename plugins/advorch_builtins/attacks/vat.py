"""VAT's direction: Miyato et al., "Virtual adversarial training", IEEE TPAMI 2019.

d <- grad_r KL(p(x) || p(x + r)) at r = xi d / ||d||_2, from a normal draw: the power method on the curvature of the
divergence, which has no slope at x. The step is epsilon d / ||d||_2, or epsilon sign(d) in linf; of d and -d, equal in
second order, the one that changes more. No label is asked for, so that it fools fewer than an attack that has one.
Logits whose lead is over eight are first divided by what makes it eight: float32 knows no curvature of a certain model.
"""

from functools import partial

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.virtual import virtual_direction
from advorch.kit.training.divergence import kl
from advorch_builtins.attacks.catalog_fixed import VatParams

_CERTAIN = 8.0  # lead in logits from which on the difference of two softmaxes is mostly rounding


def perturb(victim: Victim, x: Tensor, y: Tensor, params: VatParams, rng: Draws) -> Tensor:
    """The steeper of the two ends of the virtual adversarial direction."""
    ball = victim.ball(x)
    divergence = partial(_divergence, clean=victim.of_classes(victim.value(x, y).logits))

    def slope(direction: Tensor) -> Tensor:
        return ball.masked(victim.value_and_gradient(x + params.xi * direction, y, divergence).gradient)

    start = ball.masked(rng.fork("start").normal(x.shape[1:], like=x))
    direction = virtual_direction(start, slope, params.steps)
    end, other = _end(ball, direction), _end(ball, -direction)
    further = victim.value(end, y, divergence).value >= victim.value(other, y, divergence).value
    return torch.where(per_sample(further, x), end, other)


def _end(ball: ThreatSet, direction: Tensor) -> Tensor:
    way = direction.sign() if ball.norm is Norm.LINF else direction
    return ball.project(ball.x + way * per_sample(ball.epsilon, way))


def _divergence(logits: Tensor, y: Tensor, *, clean: Tensor) -> Tensor:
    """KL(p(x) || p(z)), whose gradient is p(z) - p(x) at the logits; of softened logits where p(x) is all but one."""
    top = clean.topk(2, dim=1).values
    heat = ((top[:, :1] - top[:, 1:]) / _CERTAIN).clamp(min=1)
    return kl(clean / heat, logits / heat)
