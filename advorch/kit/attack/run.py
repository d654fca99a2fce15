"""An attack on one batch from outside: who is attacked, and a verdict that never trusts the attack."""

from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any, Final

import torch
from torch import Tensor

from advorch.kit.attack.attempts import Attempts, Campaign, Score
from advorch.kit.attack.best import UNSEEN
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.errors import unusable_data
from advorch.kit.attack.layout import in_best_layout
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.params import Params
from advorch.protocols import AttackFn
from advorch.threat import Budget

_ONE_EPSILON: Final = Campaign()
_EVERYBODY: Final = 0  # the seed of what belongs to a sample alone


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackResult:
    """One row a sample. `target` is the label that a targeted attack aimed at, else the true one.

    Success is a sample that was right before and has reached the goal now, within epsilon; who was wrong already is not
    attacked. With a minimal budget an adversarial may lie beyond epsilon: no success, and `distance` says how far.
    `unrounded_success` is the verdict before numbers were rounded to levels. `smallest_epsilon` is the smallest one
    tried at which the sample fell, infinite where it stood, and zero where it was wrong already; `first_step` is how
    many steps led to the point that fooled, where the attack counts them, else -1.
    """

    adversarial: Tensor
    target: Tensor
    clean_prediction: Tensor
    adversarial_prediction: Tensor
    clean_correct: Tensor
    success: Tensor
    unrounded_success: Tensor
    distance: Tensor
    smallest_epsilon: Tensor
    first_step: Tensor
    queries: Tensor
    forwards: Tensor
    backwards: Tensor

    def rows(self) -> dict[str, Tensor]:
        """The columns by name, on the CPU."""
        return {field.name: getattr(self, field.name).cpu() for field in fields(self)}


def run_attack(  # noqa: PLR0913 - an attack's own arguments, and how it is carried out
    perturb: AttackFn[Any],
    victim: Victim,
    x: Tensor,
    y: Tensor,
    params: Params,
    rng: Draws,
    *,
    campaign: Campaign = _ONE_EPSILON,
) -> AttackResult:
    """Attack what the model gets right, leaving no trace, and judge what comes back in the model's own precision."""
    ball = _legal_ball(victim, x)
    with untouched(victim.module, seed=rng.fork("module").seed), ExitStack() as layout:
        logits = in_best_layout(victim.module, lambda: victim.first_look(x), layout)
        clean = logits.argmax(1)
        target = fixed_targets(rng.ids, y, victim.of_classes(logits).shape[1]) if victim.targeted else y
        attempts = Attempts(perturb=perturb, victim=victim, x=x, goal=target, params=params, rng=rng, campaign=campaign)
        score = attempts.run(clean.eq(y).nonzero().squeeze(1), clean)
    distance, usage = ball.distance(score.z), victim.usage(len(x))
    return AttackResult(
        adversarial=score.z,
        target=target,
        clean_prediction=clean,
        adversarial_prediction=score.prediction,
        clean_correct=clean.eq(y),
        success=score.success,
        unrounded_success=score.unrounded,
        distance=distance,
        smallest_epsilon=_smallest(victim, score, distance).where(clean.eq(y), 0),
        first_step=victim.first_step(len(x)).to(x.device).where(score.success | score.fooled, UNSEEN),
        queries=usage.queries,
        forwards=usage.forwards,
        backwards=usage.backwards,
    )


def fixed_targets(ids: Tensor, y: Tensor, classes: int) -> Tensor:
    """The wrong class that belongs to a sample, whatever attacks it, so that attacks are compared on equal targets."""
    return draw_targets(Draws(_EVERYBODY, ids), y, classes)


def draw_targets(rng: Draws, y: Tensor, classes: int) -> Tensor:
    """A wrong class for each sample, all equally likely."""
    shift = rng.fork("target").integers((), 1, classes)
    return (y + shift.to(y.device)) % classes


def _smallest(victim: Victim, score: Score, distance: Tensor) -> Tensor:
    """The epsilon at which each sample fell: of those that were tried, or with a minimal budget just how far it is."""
    if victim.budget is Budget.FIXED:
        return torch.where(score.success, score.radius, torch.inf)
    reached = torch.where(score.success, torch.minimum(distance, score.radius), distance)
    return torch.where(score.fooled, reached, torch.inf)


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


__all__ = ["AttackResult", "Campaign", "draw_targets", "fixed_targets", "run_attack"]
