"""What an attack returned is taken for nothing but points: whether they are legal, and what the model says of them."""

from typing import Any

import torch
from torch import Tensor, nn

from advorch.kit.attack.errors import contract_broken
from advorch.kit.attack.logits import check_logits
from advorch.kit.attack.threat_set import ThreatSet
from advorch.protocols import AttackFn


def verify(perturb: AttackFn[Any], ball: ThreatSet, found: Tensor) -> Tensor:
    """What an attack returned, if it kept its contract: shape, type, finite, and inside the ball and the box."""
    name = attack_name(perturb)
    if not isinstance(found, Tensor) or found.shape != ball.x.shape or found.dtype != ball.x.dtype:
        got = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise contract_broken(name, f"returned {got} for samples of {tuple(ball.x.shape)} {ball.x.dtype}")
    found = found.detach()
    if not bool(torch.isfinite(found).all()):
        raise contract_broken(name, "returned numbers that are not finite; is the model's gradient finite?")
    outside = ~ball.contains(found)
    if bool(outside.any()):
        worst = float((ball.distance(found) - ball.epsilon)[outside].max())
        count = f"{int(outside.sum())} of {len(found)} samples"
        raise contract_broken(name, f"left the threat set on {count} (distance less epsilon up to {worst:.3g})")
    return found


def judged_logits(module: nn.Module, x: Tensor) -> Tensor:
    """What the model says without a gradient and without autocast; call it inside `untouched`."""
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        return check_logits(module(x), len(x))


def attack_name(perturb: AttackFn[Any]) -> str:
    """Where the attack is defined, which tells its author from everybody else."""
    return f"{getattr(perturb, '__module__', '?')}.{getattr(perturb, '__qualname__', type(perturb).__name__)}"
