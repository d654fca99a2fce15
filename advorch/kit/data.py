"""Samples as tensors with stable ids."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from advorch.artifacts import Signature
from advorch.threat import Box

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Inputs, labels and ids in one order; ids survive slicing, so that random numbers can be keyed by them.

    Of sentences, `vocabulary` names the words that the numbers in `x` stand for; the box then spans it.
    """

    x: "Tensor"
    y: "Tensor"
    ids: "Tensor"
    classes: tuple[str, ...]
    box: Box | None = None
    vocabulary: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.x.shape[0])

    @property
    def signature(self) -> Signature:
        return Signature(shape=tuple(self.x.shape[1:]), classes=self.classes, box=self.box)

    def take(self, index: "slice | Tensor") -> "Data":
        """The samples at an index, in its order."""
        return replace(self, x=self.x[index], y=self.y[index], ids=self.ids[index])

    def to(self, device: str) -> "Data":
        """The same samples on a device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device), ids=self.ids.to(device))


def no_data() -> Data:
    """For what has nothing to walk over."""
    import torch

    return Data(
        x=torch.zeros(0, 1), y=torch.zeros(0, dtype=torch.long), ids=torch.zeros(0, dtype=torch.long), classes=()
    )
