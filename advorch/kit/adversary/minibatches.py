"""An endless, reproducible order of samples: position in it is one number."""

import torch
from torch import Tensor

from advorch.seeds import derive


class Minibatches:
    """Shuffled passes over the data, laid end to end and cut into batches; any batch can be asked for."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        if count < 1:
            raise ValueError("there are no samples to draw from")
        self._count, self._batch, self._seed = count, batch, seed
        self._pass, self._order = -1, torch.empty(0, dtype=torch.long)

    def at(self, position: int) -> Tensor:
        """The indices of one batch; it may reach over the end of a pass."""
        start, left, parts = position * self._batch, self._batch, []
        while left:
            number, offset = divmod(start, self._count)
            part = self._shuffled(number)[offset : offset + left]
            parts.append(part)
            start, left = start + len(part), left - len(part)
        return torch.cat(parts)

    def _shuffled(self, number: int) -> Tensor:
        if number != self._pass:
            generator = torch.Generator().manual_seed(derive(self._seed, "pass", number))
            self._pass, self._order = number, torch.randperm(self._count, generator=generator)
        return self._order
