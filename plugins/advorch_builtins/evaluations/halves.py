"""Generated samples beside two halves of the data, all of one size: the halves tell what no generator can undercut."""

from typing import NamedTuple

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed

_SEED = 0
_FEWEST = 2


class Thirds(NamedTuple):
    """Places of generated samples, of real ones, and of other real ones."""

    drawn: Tensor
    real: Tensor
    other: Tensor

    @property
    def size(self) -> int:
        """How many of each."""
        return len(self.real)


def thirds(samples: int, data: int, most: int) -> Thirds:
    """Drawn at random: files are often sorted, and the first half of a test set need not be like the second."""
    rng = torch.Generator().manual_seed(_SEED)
    size = min(most, samples, data // 2)
    if size < _FEWEST:
        message = f"{samples} samples and {data} of data are too few to compare"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="it takes two samples and four of data at least")
    order = torch.randperm(data, generator=rng)
    return Thirds(torch.randperm(samples, generator=rng)[:size], order[:size], order[size : 2 * size])
