"""Which samples a step sees. No sample is dropped: the last batch of an epoch may be smaller than the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.adversary.minibatches import Minibatches
from advorch.kit.data import Data
from advorch.kit.training.ranks import Ranks
from advorch.seeds import derive


def order(seed: int, epoch: int, count: int) -> Tensor:
    """A permutation of all samples: of the seed and the epoch alone, whoever asks."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def steps_in_epoch(count: int, batch: int) -> int:
    """How many steps every rank takes in an epoch."""
    return -(-count // batch)


@dataclass(frozen=True, slots=True)
class Share:
    """A rank's part of one global batch, and the factor that makes the mean over ranks the mean over the batch."""

    index: Tensor
    weight: float


def share_of(batch: Tensor, ranks: Ranks) -> Share:
    """The rank's contiguous part; where there is none, the first sample at weight zero keeps the ranks in step."""
    mine = batch[ranks.share(len(batch))]
    if not len(mine):
        return Share(batch[:1], 0.0)
    return Share(mine, ranks.size * len(mine) / len(batch))


def shares(permutation: Tensor, batch: int, ranks: Ranks) -> Iterator[Share]:
    """The rank's part of every global batch of an epoch, in order."""
    for start in range(0, len(permutation), batch):
        yield share_of(permutation[start : start + batch], ranks)


class Endless:
    """Shuffled passes over further samples, end to end: every step gets a full batch, divided among the ranks."""

    def __init__(self, data: Data, batch: int, seed: int) -> None:
        self._data = data
        self._passes = Minibatches(len(data), batch, seed)

    def at(self, index: int, ranks: Ranks, device: str) -> Data:
        """The rank's part of the batch of one step."""
        return take(self._data, share_of(self._passes.at(index), ranks).index, device)


def take(data: Data, index: Tensor, device: str) -> Data:
    """The samples at an index, on the device."""
    return data.take(index.to(data.x.device)).to(device)
