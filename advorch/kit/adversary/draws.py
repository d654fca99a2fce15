"""Random numbers that belong to the samples of a batch, not to the rank that happens to hold them."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from advorch.kit.adversary.gang import Gang


@dataclass(frozen=True, slots=True)
class Draws:
    """Each rank draws for the batch of all ranks and keeps its share, so two ranks play the game that one plays."""

    rng: torch.Generator
    gang: Gang = field(default_factory=Gang)

    def normal(self, count: int, *shape: int) -> Tensor:
        """Standard normal numbers for so many samples of this rank."""
        size = count * self.gang.size
        return self.gang.share(torch.randn(size, *shape, generator=self.rng, device=self.rng.device))

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Numbers in [0, 1) for so many samples of this rank."""
        size = count * self.gang.size
        return self.gang.share(torch.rand(size, *shape, generator=self.rng, device=self.rng.device))
