"""What a set says of itself: taken from it, and no further than what was judged anew bears out."""

import torch
from torch import Tensor

from advorch.kit.evaluation.statistics import Proportion, proportion
from advorch_builtins.evaluations.verdicts import Duel

_ROUNDING = 1e-6


def epsilons_of(duel: Duel) -> tuple[float, ...]:
    """The sizes that the attack was given, in order; none where it had a single one."""
    sizes = duel.set.samples.settings.get("epsilons")
    return tuple(float(str(size)) for size in sizes) if isinstance(sizes, list | tuple) else ()


def fell_at(duel: Duel) -> Tensor:
    """The epsilon at which each sample fell: what the attack recorded, and never less than its distance."""
    recorded = torch.full(duel.position.shape, torch.inf, dtype=torch.float64)
    recorded[duel.covered] = duel.recorded(duel.set.samples.smallest_epsilon.double())
    near = duel.distance <= recorded * (1 + _ROUNDING)
    fell = torch.where(near, recorded, duel.distance)
    return torch.where(duel.covered & ~duel.withstood & duel.inside, fell, torch.inf)


def accuracy_before_rounding(duel: Duel) -> Proportion | None:
    """Samples that the attack says stood before it rounded; None where it did not."""
    samples = duel.set.samples
    if not samples.settings.get("levels"):
        return None
    return proportion(duel.recorded(samples.clean_correct & ~samples.unrounded_success))


def mean_queries(duel: Duel) -> float | None:
    """The mean over whoever was attacked."""
    samples = duel.set.samples
    asked = duel.recorded(samples.queries)[duel.recorded(samples.clean_correct)]
    return float(asked.double().mean()) if len(asked) else None


def median_first_step(duel: Duel) -> float | None:
    """After how many steps half of the fooled were; None where the attack did not count."""
    steps = duel.recorded(duel.set.samples.first_step)
    counted = steps[steps >= 0]
    return float(counted.double().quantile(0.5)) if len(counted) else None
