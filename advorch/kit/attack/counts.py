"""What each sample of a batch cost, and after how many steps it fell."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from advorch.kit.attack.best import UNSEEN


class Usage(NamedTuple):
    """What each sample cost."""

    queries: Tensor
    forwards: Tensor
    backwards: Tensor


@dataclass(slots=True)
class Tally:
    """How many rows went through the model for some of the samples, or for all of them."""

    rows: Tensor | None = None
    forwards: int = 0
    backwards: int = 0


class Ledger:
    """Of one batch, what was counted for it and for parts of it."""

    def __init__(self) -> None:
        self._tallies: list[Tally] = []
        self._steps: list[tuple[Tensor | None, Tensor]] = []

    def tally(self, rows: Tensor | None = None) -> Tally:
        """A fresh one, for samples by their places in the batch."""
        self._tallies.append(Tally(rows))
        return self._tallies[-1]

    def note_steps(self, rows: Tensor | None, steps: Tensor) -> None:
        """After how many steps each was seen fooled, `UNSEEN` where it was not."""
        self._steps.append((rows, steps))

    def usage(self, count: int) -> Usage:
        """All tallies, sample by sample."""
        forwards, backwards = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
        for tally in self._tallies:
            rows = _places(tally.rows, count)
            for column, passes in ((forwards, tally.forwards), (backwards, tally.backwards)):
                column.index_add_(0, rows, torch.full_like(rows, _share(passes, len(rows))))
        return Usage(queries=forwards, forwards=forwards, backwards=backwards)

    def first_step(self, count: int) -> Tensor:
        """What was noted last of each sample."""
        first = torch.full((count,), UNSEEN, dtype=torch.int64)
        for rows, steps in self._steps:
            known = _places(rows, count)
            first[known] = torch.where(steps.cpu() == UNSEEN, first[known], steps.cpu())
        return first


def _places(rows: Tensor | None, count: int) -> Tensor:
    return torch.arange(count) if rows is None else rows.cpu()


def _share(passes: int, samples: int) -> int:
    """Passes of one sample: whoever tiles its samples into more rows does so for all of them alike."""
    return -(-passes // samples) if samples else 0
