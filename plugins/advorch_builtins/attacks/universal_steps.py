"""What moves a universal perturbation: ways over boundaries, and a clipped loss."""

import torch
from torch import Tensor

from advorch.api import Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.hyperplane import onto_hyperplane
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.rows import euclidean, per_sample
from advorch.kit.attack.victim import Victim
from advorch.kit.perturbation.applying import into_box
from advorch_builtins.attacks.catalog_fitted import UniversalParams
from advorch_builtins.attacks.catalog_minimal import DeepFoolParams
from advorch_builtins.attacks.deepfool import perturb as deepfool

_BEYOND = 1e-4  # of the gap, so that a point on a boundary is on its far side


def shortest_ways(victim: Victim, z: Tensor, goal: Tensor, params: UniversalParams, rng: Draws) -> Tensor:
    """From each point to where the goal is reached, or as far as that many steps go: the shortest in l2, as in the
    paper, whatever the ball that their sum is projected onto."""
    roaming = victim.roaming()
    roaming.norm = Norm.L2
    if victim.targeted:
        return _towards_target(roaming, z, goal, params) - z
    steps = DeepFoolParams(steps=params.inner, classes=params.classes, overshoot=params.overshoot)
    return deepfool(roaming, z, goal, steps, rng) - z


def _towards_target(victim: Victim, z: Tensor, target: Tensor, params: UniversalParams) -> Tensor:
    """DeepFool's step with one boundary: that between what the model says now and the target."""
    ball, start = victim.ball_of(z, torch.inf), z
    for _ in range(params.inner):
        logits = victim.logits(z)
        label = logits.argmax(1)
        # With nothing to gain there is no slope: who has arrived stays.
        other = torch.where(label.eq(target), (target + 1) % logits.shape[1], label)
        seen = victim.class_slopes(z, other, target[:, None])
        gap = torch.where(label.eq(target), 0, -seen.lead[:, 0])
        step = onto_hyperplane(ball, z, seen.gradient[:, 0], gap * (1 + _BEYOND))
        z = ball.project(z + step)
    return ball.project(start + (1 + params.overshoot) * (z - start))


def clipped_ascent(
    victim: Victim, x: Tensor, pattern: Tensor, goal: Tensor, *, alpha: float, clip: float
) -> tuple[Tensor, Tensor]:
    """A step of the shared vector, and the mean of the clipped loss."""

    def worn(shift: Tensor) -> Tensor:
        return into_box(x + shift, victim.box)

    def objective(logits: Tensor, y: Tensor) -> Tensor:
        loss = cross_entropy(logits, y)
        return loss if victim.targeted else loss.clamp(max=clip)

    slope = victim.value_and_gradient(pattern.expand_as(x).contiguous(), goal, objective, view=worn)
    gradient = slope.gradient.mean(0)
    loss = slope.value.mean()
    if victim.norm is Norm.LINF:
        return alpha * gradient.sign(), loss
    length = euclidean(gradient[None]).clamp(min=1e-300)
    return alpha * gradient / per_sample(length, gradient[None])[0].to(gradient.dtype), loss
