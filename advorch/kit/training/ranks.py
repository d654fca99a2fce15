"""This process's place in a gang; alone, every method does next to nothing."""

from dataclasses import dataclass

import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Ranks:
    """A rank among the ranks of an initialised process group."""

    rank: int = 0
    size: int = 1

    def share(self, count: int) -> slice:
        """This rank's contiguous part of so many things; the parts differ in size by one at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def total(self, values: Tensor) -> Tensor:
        """The sum over the ranks."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def average_buffers(self, module: nn.Module) -> None:
        """Give every rank the mean of the running statistics, which each has of its own samples only."""
        if self.size == 1:
            return
        for buffer in module.buffers():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer.div_(self.size)
