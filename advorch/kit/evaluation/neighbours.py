"""The nearest of many samples, and whether what was generated lies nearer to the training set than new data do."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 512


class Neighbours(NamedTuple):
    """The nearest ones of each sample, from near to far: how far, and where."""

    distance: Tensor
    place: Tensor


def nearest(x: Tensor, among: Tensor, count: int = 1) -> Neighbours:
    """Euclidean distances, some rows at a time."""
    count, known = min(count, len(among)), among.flatten(1)
    found = [torch.cdist(rows, known).topk(count, largest=False) for rows in torch.split(x.flatten(1), _CHUNK)]
    return Neighbours(torch.cat([item.values for item in found]), torch.cat([item.indices for item in found]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`ratio` of the median distances to the training set, generated against new; `share` of generated samples nearer
    to it than all but one in a hundred new ones. Copies have a ratio of 0 and a share of 1."""

    ratio: float
    share: float


def memory(drawn: Tensor, fresh: Tensor) -> Memory:
    """From the distances of generated and of new samples to their nearest training sample."""
    drawn, fresh = drawn.double(), fresh.double()
    usual = float(fresh.median())
    ratio = float(drawn.median()) / usual if usual else float("nan")
    return Memory(ratio=ratio, share=float((drawn < torch.quantile(fresh, 0.01)).double().mean()))
