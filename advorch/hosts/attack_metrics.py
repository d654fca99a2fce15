"""What an attack stage says of its samples in numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Budget, Norm


def shares(samples: AdversarialSet) -> dict[str, float]:
    """Of all samples, but the success rates, which are of those that were right before."""
    right = int(samples.clean_correct.sum())
    return {
        "clean_accuracy": right / len(samples),
        "robust_accuracy": int(samples.robust.sum()) / len(samples),
        "success_rate": int(samples.success.sum()) / right if right else 0.0,
        "success_rate_unrounded": int(samples.unrounded_success.sum()) / right if right else 0.0,
    }


def costs(samples: AdversarialSet) -> dict[str, float]:
    """Queries of whoever was attacked, and after how many steps half of the fooled were; -1 where nobody counted."""
    queries, steps = samples.queries[samples.clean_correct], samples.first_step[samples.first_step >= 0]
    return {
        "mean_queries": float(queries.double().mean()) if len(queries) else 0.0,
        "median_first_step": float(steps.double().quantile(0.5)) if len(steps) else -1.0,
    }


def curve(samples: AdversarialSet, epsilons: Sequence[float]) -> dict[str, float]:
    """Robust accuracy at each epsilon; whoever fell at a smaller one has fallen."""
    return {
        f"robust_accuracy_at_{epsilon:g}": int(samples.robust_at(epsilon).sum()) / len(samples) for epsilon in epsilons
    }


def found_by(samples: AdversarialSet) -> Tensor:
    """For whom there is an adversarial whose distance means something: with a minimal budget at any distance."""
    if samples.budget is Budget.FIXED:
        return samples.success
    prediction, target = samples.adversarial_prediction, samples.target
    return samples.clean_correct & (prediction.ne(samples.y) if target is None else prediction.eq(target))


def distances(samples: AdversarialSet, x: Tensor, norm: Norm, found: Tensor) -> dict[str, float]:
    """Over whoever was found: the mean and the median, and the mean of `||r|| / ||x||` (DeepFool's rho)."""
    right = int(samples.clean_correct.sum())
    if not bool(found.any()):
        return {"found_rate": 0.0, "mean_distance": 0.0, "median_distance": 0.0, "relative_distance": 0.0}
    distance, length = samples.distance[found], _length(x, norm)[found]
    share = (distance / length)[length > 0]
    return {
        "found_rate": int(found.sum()) / right,
        "mean_distance": float(distance.mean()),
        "median_distance": float(distance.quantile(0.5)),
        "relative_distance": float(share.mean()) if len(share) else 0.0,
    }


def _length(x: Tensor, norm: Norm) -> Tensor:
    return ThreatSet.around(torch.zeros_like(x), norm, torch.inf).distance(x)
