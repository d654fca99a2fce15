"""An attack on those who still stand, at one epsilon after the other: who falls at a small one falls at a larger."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.levels import on_levels
from advorch.kit.attack.verdict import judged_logits, verify
from advorch.kit.attack.victim import Victim
from advorch.params import Params
from advorch.protocols import AttackFn
from advorch.threat import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """How an attack is carried out: at which epsilons, on how many levels its points have to lie, and whether it keeps
    to the victim's batch by itself.
    """

    epsilons: tuple[float, ...] = ()
    levels: int | None = None
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """One attack on the samples of a chunk; `goal` is the label or the target."""

    perturb: AttackFn[Any]
    victim: Victim
    x: Tensor
    goal: Tensor
    params: Params
    rng: Draws
    campaign: Campaign

    def run(self, standing: Tensor, clean: Tensor) -> "Score":
        """Everything that is known of all samples, once those who stand were attacked."""
        score = Score.before(self.x, clean)
        for victim in self._victims():
            for rows in self._cut(standing):
                score.put(rows, self._attempt(victim.take(rows), rows))
            standing = standing[~score.success[standing]]
        return score

    def _victims(self) -> list[Victim]:
        """One for each epsilon that leaves something to do; a minimal budget needs a single one."""
        if not self.campaign.epsilons or self.victim.budget is Budget.MINIMAL:
            return [self.victim]
        return [self.victim.resized(epsilon) for epsilon in self.campaign.epsilons if epsilon > 0]

    def _cut(self, rows: Tensor) -> tuple[Tensor, ...]:
        """All at once where the attack fills its batch by itself, else so many as the model takes."""
        size = None if self.campaign.pooled else self.victim.batch
        return torch.split(rows, size or len(rows)) if len(rows) else ()

    def _attempt(self, victim: Victim, rows: Tensor) -> "Score":
        x, goal = self.x[rows], self.goal[rows]
        found = self.perturb(victim, x, goal, self.params, self.rng.take(rows))
        raw = Score.of(victim, x, goal, verify(self.perturb, victim.ball(x), found))
        if self.campaign.levels is None:
            return raw
        within = victim.ball_of(x, torch.where(raw.near, raw.radius, torch.inf))
        rounded = Score.of(victim, x, goal, on_levels(within, raw.z, victim.box, self.campaign.levels))
        rounded.unrounded = raw.success
        return rounded


@dataclass(slots=True, kw_only=True)
class Score:
    """Points with their verdict: `fooled` anywhere, `near` within epsilon, `success` both; `radius` is that epsilon."""

    z: Tensor
    prediction: Tensor
    fooled: Tensor
    near: Tensor
    success: Tensor
    unrounded: Tensor
    radius: Tensor

    @classmethod
    def before(cls, x: Tensor, clean: Tensor) -> "Score":
        """Before anything was tried; nobody was fooled within any epsilon."""
        nobody = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        never = torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
        return cls(
            z=x.clone(), prediction=clean.clone(), fooled=nobody.clone(), near=~nobody, success=nobody.clone(),
            unrounded=nobody.clone(), radius=never,
        )  # fmt: skip

    @classmethod
    def of(cls, victim: Victim, x: Tensor, goal: Tensor, z: Tensor) -> "Score":
        """The verdict on points, in the model's own precision and so many at a time as it takes."""
        parts = torch.split(z, victim.batch or max(1, len(z)))
        logits = torch.cat([judged_logits(victim.module, part) for part in parts])
        fooled, ball = victim.judge(logits, goal), victim.judged_ball(x)
        near, radius = ball.contains(z), victim.epsilon.to(x.device).expand(len(x))
        success = fooled & near
        return cls(
            z=z, prediction=logits.argmax(1), fooled=fooled, near=near, success=success, unrounded=success,
            radius=radius,
        )  # fmt: skip

    def put(self, rows: Tensor, part: "Score") -> None:
        """What a later attempt found, in its rows."""
        self.unrounded[rows] = self.unrounded[rows] | part.unrounded
        for name in ("z", "prediction", "fooled", "near", "success", "radius"):
            getattr(self, name)[rows] = getattr(part, name)
