"""Means over the samples of an epoch, gathered without waiting for the device."""

import math

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.training.ranks import Ranks


class Meter:
    """Sums by name on the device, over the samples that a name was told of; every rank logs the same names."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._sums: dict[str, Tensor] = {}
        self._samples: dict[str, int] = {}

    def add(self, values: dict[str, Tensor | float], samples: int) -> None:
        """Count means over so many samples of this rank."""
        for name, value in values.items():
            term = torch.as_tensor(value, dtype=torch.float64, device=self._device) * samples
            self._sums[name] = self._sums[name] + term if name in self._sums else term
            self._samples[name] = self._samples.get(name, 0) + samples

    def means(self, ranks: Ranks) -> dict[str, float]:
        """The means over all ranks; an error of class `nan` if the loss is not finite."""
        names = sorted(self._sums)
        counted = torch.tensor([self._samples[name] for name in names], dtype=torch.float64, device=self._device)
        sums, samples = ranks.total(torch.stack([torch.stack([self._sums[name] for name in names]), counted])).tolist()
        means = {name: total / many for name, total, many in zip(names, sums, samples, strict=True) if many}
        if not math.isfinite(means["loss"]):
            hint = "a smaller `lr`, or `precision: fp32`, usually helps"
            raise StageFailed("the loss is no longer a finite number", error_class=ErrorClass.NAN, hint=hint)
        return {name: value for name, value in means.items() if math.isfinite(value)}
