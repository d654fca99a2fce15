"""An attack on one batch from outside: who is attacked, and a verdict that never trusts the attack."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.errors import contract_broken, unusable_data
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim, check_logits
from advorch.params import Params
from advorch.protocols import AttackFn


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackResult:
    """One row a sample. `target` is the label that a targeted attack aimed at, else the true one.

    Success is a sample that was right before and has reached the goal now, within epsilon; who was wrong already is not
    attacked. With a minimal budget an adversarial may lie beyond epsilon: no success, and `distance` says how far.
    """

    adversarial: Tensor
    target: Tensor
    clean_prediction: Tensor
    adversarial_prediction: Tensor
    clean_correct: Tensor
    success: Tensor
    distance: Tensor
    queries: Tensor
    forwards: Tensor
    backwards: Tensor

    def rows(self) -> dict[str, Tensor]:
        """The columns by name, on the CPU."""
        return {field.name: getattr(self, field.name).cpu() for field in fields(self)}


def run_attack(
    perturb: AttackFn[Any], victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws
) -> AttackResult:
    """Attack what the model gets right, leaving no trace, and judge what comes back in the model's own precision."""
    ball = _legal_ball(victim, x)
    with untouched(victim.module, seed=rng.fork("module").seed):
        logits = judged_logits(victim.module, x)
        clean = logits.argmax(1)
        target = draw_targets(rng, y, logits.shape[1]) if victim.targeted else y
        attacked = clean.eq(y).nonzero().squeeze(1)
        z = x.clone()
        if len(attacked):
            part = victim.take(attacked)
            found = perturb(part, x[attacked], target[attacked], params, rng.take(attacked))
            z[attacked] = verify(perturb, ball.take(attacked), found)
        return _verdict(victim, ball, z, y, target, clean)


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


def draw_targets(rng: Draws, y: Tensor, classes: int) -> Tensor:
    """A wrong class for each sample, all equally likely."""
    shift = rng.fork("target").integers((), 1, classes)
    return (y + shift.to(y.device)) % classes


def attack_name(perturb: AttackFn[Any]) -> str:
    """Where the attack is defined, which tells its author from everybody else."""
    return f"{getattr(perturb, '__module__', '?')}.{getattr(perturb, '__qualname__', type(perturb).__name__)}"


def _verdict(victim: Victim, ball: ThreatSet, z: Tensor, y: Tensor, target: Tensor, clean: Tensor) -> AttackResult:
    logits = judged_logits(victim.module, z)
    near = victim.judged_ball(ball.x).contains(z)
    usage = victim.usage(len(z))
    return AttackResult(
        adversarial=z,
        target=target,
        clean_prediction=clean,
        adversarial_prediction=logits.argmax(1),
        clean_correct=clean.eq(y),
        success=clean.eq(y) & victim.judge(logits, target) & near,
        distance=ball.distance(z),
        queries=usage.queries,
        forwards=usage.forwards,
        backwards=usage.backwards,
    )


def _legal_ball(victim: Victim, x: Tensor) -> ThreatSet:
    """The threat set, if the samples are what they are said to be."""
    if not x.is_floating_point():
        raise unusable_data(f"samples must be floating-point numbers, not {x.dtype}")
    if not bool(torch.isfinite(x).all()):
        raise unusable_data("some samples are not finite")
    ball = victim.ball(x)
    if not bool(ball.contains(x).all()):
        hint = "give the data's true box; normalisation belongs inside the model"
        span = f"they go from {float(x.min()):.6g} to {float(x.max()):.6g}"
        raise unusable_data(f"samples lie outside their box {victim.box}: {span}", hint)
    return ball
