"""The best point of each sample so far."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from advorch.kit.attack.rows import per_sample

UNSEEN: Final = -1
"""The step of a point that no step led to, or that nobody counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The first point that fooled; until there is one, that of the highest loss. `step` is how many steps led there."""

    z: Tensor
    value: Tensor
    fooled: Tensor
    step: Tensor

    @classmethod
    def nothing(cls, x: Tensor) -> "Best":
        """Before anything was tried."""
        value = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
        nobody = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        return cls(z=x, value=value, fooled=nobody, step=torch.full_like(nobody, UNSEEN, dtype=torch.int64))

    def take(self, index: Tensor) -> "Best":
        """Of some samples, by position."""
        return Best(z=self.z[index], value=self.value[index], fooled=self.fooled[index], step=self.step[index])

    def put(self, rows: Tensor, part: "Best") -> "Best":
        """With a part's samples in their places."""
        return Best(
            z=self.z.index_copy(0, rows, part.z),
            value=self.value.index_copy(0, rows, part.value),
            fooled=self.fooled.index_copy(0, rows, part.fooled),
            step=self.step.index_copy(0, rows, part.step),
        )

    def after(self, z: Tensor, value: Tensor, fooled: Tensor, step: int | Tensor = UNSEEN) -> "Best":
        """With one more point seen, so many steps from the start."""
        return self._replaced(~self.fooled & (fooled | (value > self.value)), z, value, fooled, step)

    def after_start(self, z: Tensor, value: Tensor, fooled: Tensor, step: int = UNSEEN) -> "Best":
        """With the start seen: nothing but a verdict makes it anybody's best, since it may be the clean sample."""
        return self._replaced(~self.fooled & fooled, z, value, fooled, step)

    def after_all(self, z: Tensor, value: Tensor, fooled: Tensor, first: int) -> "Best":
        """With several points seen one after the other, the first of them so many steps from the start."""
        score = value.double().nan_to_num(nan=-torch.inf).masked_fill(fooled, torch.inf)
        chosen, rows = score.argmax(0), torch.arange(z.shape[1], device=z.device)
        return self.after(z[chosen, rows], value[chosen, rows], fooled.any(0), chosen + first)

    def standing(self) -> Tensor:
        """The positions of those who are not fooled; waits for the device."""
        return (~self.fooled).nonzero().squeeze(1)

    def _replaced(self, better: Tensor, z: Tensor, value: Tensor, fooled: Tensor, step: int | Tensor) -> "Best":
        counted = isinstance(step, Tensor) or step != UNSEEN
        return Best(
            z=torch.where(per_sample(better, z), z, self.z),
            value=torch.where(better, value.to(self.value.dtype), self.value),
            fooled=self.fooled | fooled,
            step=torch.where(better, step, self.step) if counted else self.step,
        )
