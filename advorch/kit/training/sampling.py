"""Which samples a step sees. No sample is dropped: the last batch of an epoch may be smaller than the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.adversary.minibatches import Minibatches
from advorch.kit.data import Data
from advorch.kit.training.ranks import Ranks
from advorch.seeds import derive
from advorch.settings import TrainingSettings


def numbers_for(seed: int, *place: int | str) -> torch.Generator:
    """Random numbers of a seed and a place in training alone, whoever asks."""
    return torch.Generator().manual_seed(derive(seed, *place))


def order(seed: int, epoch: int, count: int) -> Tensor:
    """A permutation of all samples: of the seed and the epoch alone, whoever asks."""
    return torch.randperm(count, generator=numbers_for(seed, "order", epoch))


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


class Shuffled:
    """Every sample once an epoch, in an order of the seed and the epoch alone."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self._count, self._batch, self._seed = count, batch, seed
        self._epoch, self._order = 0, torch.empty(0, dtype=torch.long)

    def batch(self, epoch: int, position: int, /) -> Tensor:
        """The indices of one global batch; the last of an epoch may be smaller."""
        if epoch != self._epoch:
            self._epoch, self._order = epoch, order(self._seed, epoch, self._count)
        return self._order[position * self._batch : (position + 1) * self._batch]


class Passes:
    """Shuffled passes end to end, where an epoch is so many steps: every batch is full, however few the samples."""

    def __init__(self, count: int, batch: int, steps: int, seed: int) -> None:
        self._steps = steps
        self._passes = Minibatches(count, batch, seed)

    def batch(self, epoch: int, position: int, /) -> Tensor:
        """The indices of one global batch."""
        return self._passes.at((epoch - 1) * self._steps + position)


def usual_sampler(settings: TrainingSettings, count: int, seed: int) -> Shuffled | Passes:
    """Once through the data an epoch, or as often as its `steps` take."""
    if settings.steps is None:
        return Shuffled(count, settings.batch, seed)
    return Passes(count, settings.batch, settings.steps, seed)


class Endless:
    """Shuffled passes over further samples, end to end: every step gets a full batch, divided among the ranks."""

    def __init__(self, data: Data, batch: int, seed: int) -> None:
        self.data = data
        self._passes = Minibatches(len(data), batch, seed)

    def at(self, index: int, ranks: Ranks, device: str) -> tuple[Data, float]:
        """The rank's part of the batch of one step, and how much its mean counts."""
        share = share_of(self._passes.at(index), ranks)
        return take(self.data, share.index, device), share.weight


def take(data: Data, index: Tensor, device: str) -> Data:
    """The samples at an index, on the device."""
    return data.take(index.to(data.x.device)).to(device)
