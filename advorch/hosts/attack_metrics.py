"""What an attack stage says of its samples in numbers."""

import torch
from torch import Tensor

from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Budget, Norm


def shares(samples: AdversarialSet) -> dict[str, float]:
    """Of all samples, but the success rate, which is of those that were right before."""
    right = int(samples.clean_correct.sum())
    return {
        "clean_accuracy": right / len(samples),
        "robust_accuracy": int(samples.robust.sum()) / len(samples),
        "success_rate": int(samples.success.sum()) / right if right else 0.0,
    }


def found_by(budget: Budget, samples: AdversarialSet, goal: Tensor, *, targeted: bool) -> Tensor:
    """For whom there is an adversarial whose distance means something: with a minimal budget at any distance."""
    if budget is Budget.FIXED:
        return samples.success
    prediction = samples.adversarial_prediction
    return samples.clean_correct & (prediction.eq(goal) if targeted else prediction.ne(goal))


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
