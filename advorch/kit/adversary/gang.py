"""The ranks that play one game together, as plain collectives on gradients; alone, every one of them does nothing.

Wrapping players in DistributedDataParallel leaves gradients unsynchronised, without an error, when a loss is only a
gradient penalty. Averaging after `backward` has no such case, and the start-up check would find any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from advorch.canonical import digest
from advorch.errors import ErrorClass, StageFailed


@dataclass(frozen=True, slots=True)
class Gang:
    """This process's place among the ranks of an initialised process group."""

    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if self.size > 1 and not (dist.is_available() and dist.is_initialized()):
            raise ValueError(f"{self.size} ranks need an initialised torch.distributed process group")

    def share(self, index: Tensor) -> Tensor:
        """This rank's part of a batch that all ranks drew alike."""
        return index[self.rank :: self.size]

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the ranks."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.size == 1 or not gradients:
            return
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the ranks."""
        if self.size > 1:
            dist.all_reduce(values)
            values /= self.size
        return values

    def copy_first(self, tensors: Sequence[Tensor]) -> None:
        """Give every rank the tensors of rank 0."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def check_layout(self, parameters: Sequence[nn.Parameter]) -> None:
        """Fail if the ranks have gradients for different parameters: an average would mix them up, or hang."""
        shapes = [None if item.grad is None else list(item.grad.shape) for item in parameters]
        mark = int(digest(shapes)[:12], 16)
        device = parameters[0].device if parameters else torch.device("cpu")
        self._require_equal(torch.tensor([mark], dtype=torch.float64, device=device), "take gradients differently")

    def check_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Fail if gradients still differ between the ranks after they were averaged."""
        gradients = [item.grad for item in parameters if item.grad is not None]
        sums = [torch.stack([item.double().sum(), item.double().square().sum()]) for item in gradients]
        if sums:
            self._require_equal(torch.cat(sums), "hold different gradients")

    def _require_equal(self, mark: Tensor, trouble: str) -> None:
        if self.size == 1:
            return
        marks = [torch.empty_like(mark) for _ in range(self.size)]
        dist.all_gather(marks, mark)
        differing = [rank for rank, other in enumerate(marks) if not torch.equal(other, marks[0])]
        if differing and torch.isfinite(torch.stack(marks)).all():
            raise StageFailed(
                f"ranks {differing} and rank 0 {trouble}",
                error_class=ErrorClass.USER,
                hint="a player's loss must use the same parameters on every rank",
            )
