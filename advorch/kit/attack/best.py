"""The best point of each sample so far."""

from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.attack.rows import per_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The first point that fooled; until there is one, that of the highest loss."""

    z: Tensor
    value: Tensor
    fooled: Tensor

    @classmethod
    def nothing(cls, x: Tensor) -> "Best":
        """Before anything was tried."""
        value = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
        return cls(z=x, value=value, fooled=torch.zeros(len(x), dtype=torch.bool, device=x.device))

    def take(self, index: Tensor) -> "Best":
        """Of some samples, by position."""
        return Best(z=self.z[index], value=self.value[index], fooled=self.fooled[index])

    def put(self, rows: Tensor, part: "Best") -> "Best":
        """With a part's samples in their places."""
        return Best(
            z=self.z.index_copy(0, rows, part.z),
            value=self.value.index_copy(0, rows, part.value),
            fooled=self.fooled.index_copy(0, rows, part.fooled),
        )

    def after(self, z: Tensor, value: Tensor, fooled: Tensor) -> "Best":
        """With one more point seen."""
        return self._replaced(~self.fooled & (fooled | (value > self.value)), z, value, fooled)

    def after_start(self, z: Tensor, value: Tensor, fooled: Tensor) -> "Best":
        """With the start seen: nothing but a verdict makes it anybody's best, since it may be the clean sample."""
        return self._replaced(~self.fooled & fooled, z, value, fooled)

    def standing(self) -> Tensor:
        """The positions of those who are not fooled; waits for the device."""
        return (~self.fooled).nonzero().squeeze(1)

    def _replaced(self, better: Tensor, z: Tensor, value: Tensor, fooled: Tensor) -> "Best":
        return Best(
            z=torch.where(per_sample(better, z), z, self.z),
            value=torch.where(better, value.to(self.value.dtype), self.value),
            fooled=self.fooled | fooled,
        )
