"""How strong the attacks of a step are: epsilon and the number of steps grow at the start of training."""

import math
from dataclasses import dataclass

from torch import Tensor

from advorch.params import AttackRef
from advorch.settings import ThreatSettings, TrainingSettings


@dataclass(frozen=True, slots=True)
class Strength:
    """Shares of an attack's own epsilon and steps."""

    epsilon: float = 1.0
    steps: float = 1.0

    def radius(self, ref: AttackRef, epsilon: float | Tensor | None) -> float | Tensor | None:
        """The share of what is asked for, or of the attack's own; None where that is what it has anyway."""
        if self.epsilon == 1:
            return epsilon
        own = ThreatSettings.parse({"epsilon": ref.with_["epsilon"]}).epsilon if epsilon is None else epsilon
        return own * self.epsilon

    def shortened(self, ref: AttackRef) -> AttackRef:
        """The attack with its share of the steps that it is written with, one at least."""
        steps = ref.with_.get("steps")
        if self.steps == 1 or not isinstance(steps, int):
            return ref
        return AttackRef.parse({"uses": ref.uses, "with": {**ref.with_, "steps": math.ceil(steps * self.steps)}})


def strength(settings: TrainingSettings, progress: float) -> Strength:
    """Both grow linearly to the whole over the shares of training that the settings name."""
    return Strength(grown(settings.warmup, progress), grown(settings.steps_warmup, progress))


def grown(over: float, progress: float) -> float:
    """From nothing to one over a share of training."""
    return min(1.0, progress / over) if over else 1.0
