"""How well a score tells adversarial samples from clean ones."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Roc:
    """Shares of clean samples above each threshold, and of adversarial ones, both growing from zero to one."""

    alarms: Tensor
    caught: Tensor

    @property
    def area(self) -> float:
        """How likely an adversarial sample scores above a clean one; ties count half."""
        return float(torch.trapezoid(self.caught, self.alarms))

    def caught_at(self, alarms: float) -> float:
        """The share of adversarial samples above the lowest threshold that lets no more clean ones pass."""
        allowed = self.alarms <= alarms + 1e-12
        return float(self.caught[allowed].max())


def roc(clean: Tensor, adversarial: Tensor) -> Roc:
    """Every threshold that makes a difference: a sample is caught where its score is above it."""
    clean, adversarial = clean.double().cpu(), adversarial.double().cpu()
    thresholds = torch.cat([clean, adversarial]).sort(descending=True).values
    lowest = torch.full((1,), -torch.inf, dtype=torch.float64)
    thresholds = torch.cat([thresholds, lowest])
    shares = [1 - _share_up_to(scores, thresholds) for scores in (clean, adversarial)]
    return Roc(alarms=shares[0], caught=shares[1])


def _share_up_to(scores: Tensor, thresholds: Tensor) -> Tensor:
    ordered = scores.sort().values
    return torch.searchsorted(ordered, thresholds, right=True).double() / len(scores)
