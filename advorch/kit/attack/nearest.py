"""The nearest point of each sample that fooled so far."""

from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.attack.best import UNSEEN
from advorch.kit.attack.rows import per_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The point that fooled at the smallest distance; until there is one, that of the highest value.

    `step` is how many steps of its search led there.
    """

    z: Tensor
    distance: Tensor
    value: Tensor
    fooled: Tensor
    step: Tensor

    @classmethod
    def nothing(cls, x: Tensor) -> "Nearest":
        """Before anything was tried."""
        nowhere = torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
        step = torch.full_like(nowhere, UNSEEN, dtype=torch.int64)
        return cls(z=x, distance=nowhere, value=-nowhere, fooled=torch.isnan(nowhere), step=step)

    def take(self, index: Tensor) -> "Nearest":
        """Of some samples, by position."""
        return Nearest(
            z=self.z[index],
            distance=self.distance[index],
            value=self.value[index],
            fooled=self.fooled[index],
            step=self.step[index],
        )

    def put(self, rows: Tensor, part: "Nearest") -> "Nearest":
        """With a part's samples in their places."""
        return Nearest(
            z=self.z.index_copy(0, rows, part.z),
            distance=self.distance.index_copy(0, rows, part.distance),
            value=self.value.index_copy(0, rows, part.value),
            fooled=self.fooled.index_copy(0, rows, part.fooled),
            step=self.step.index_copy(0, rows, part.step),
        )

    def after(
        self, z: Tensor, distance: Tensor, value: Tensor, fooled: Tensor, step: int | Tensor = UNSEEN
    ) -> "Nearest":
        """With one more point seen."""
        hopeful = ~self.fooled & ~fooled & (value > self.value)
        return self._replaced(hopeful | (fooled & (distance < self.distance)), z, distance, value, fooled, step)

    def after_start(
        self, z: Tensor, distance: Tensor, value: Tensor, fooled: Tensor, step: int | Tensor = UNSEEN
    ) -> "Nearest":
        """With the start seen: it may be the clean sample, which is nobody's best effort."""
        return self._replaced(fooled & (distance < self.distance), z, distance, value, fooled, step)

    def joined(self, other: "Nearest") -> "Nearest":
        """The better of two searches."""
        return self.after(other.z, other.distance, other.value, other.fooled, other.step)

    def within(self, radius: Tensor) -> Tensor:
        """Who was fooled inside a radius."""
        return self.fooled & (self.distance <= radius)

    def _replaced(
        self, better: Tensor, z: Tensor, distance: Tensor, value: Tensor, fooled: Tensor, step: int | Tensor
    ) -> "Nearest":
        return Nearest(
            z=torch.where(per_sample(better, z), z, self.z),
            distance=torch.where(fooled & better, distance, self.distance),
            value=torch.where(better, value.to(self.value.dtype), self.value),
            fooled=self.fooled | fooled,
            step=torch.where(better, step, self.step),
        )
