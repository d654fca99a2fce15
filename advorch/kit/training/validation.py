"""Accuracy on held-out samples, clean and under attack; each rank judges its share."""

from itertools import chain

import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.step import Inner


class Validator:
    """Judges a model by the same samples and the same random numbers every time."""

    def __init__(self, data: Data, batch: int, *, seed: int, attack: Inner | None = None) -> None:
        self._data = data
        self._batch = batch
        self._seed = seed
        self._attack = attack

    def measure(self, model: nn.Module, ranks: Ranks) -> dict[str, float]:
        """`clean_accuracy`, and `robust_accuracy` where there is an attack: right before it and after it."""
        place = next(chain(model.parameters(), model.buffers()), torch.empty(0)).device
        counts = torch.zeros(2, dtype=torch.float64, device=place)
        modes = [(part, part.training) for part in model.modules()]
        model.eval()
        try:
            share = self._data.take(ranks.share(len(self._data)))
            for start in range(0, len(share), self._batch):
                batch = share.take(slice(start, start + self._batch))
                counts += self._count(model, batch.to(str(place)))
        finally:
            for part, training in modes:
                part.training = training
        clean, robust = (ranks.total(counts) / len(self._data)).tolist()
        return {"clean_accuracy": clean} | ({"robust_accuracy": robust} if self._attack else {})

    def _count(self, model: nn.Module, batch: Data) -> Tensor:
        """How many are right, and how many stay right; what is wrong already needs no attack."""
        right = _right(model, batch)
        kept = batch.take(right.nonzero().squeeze(1))
        robust = right.new_zeros(())
        if self._attack and len(kept):
            draws = Draws(self._seed, kept.ids)
            adversarial = self._attack(model, kept.x, kept.y, draws, None)
            robust = (_predict(model, adversarial) == kept.y).sum()
        return torch.stack([right.sum(), robust]).double()


def _right(model: nn.Module, batch: Data) -> Tensor:
    return _predict(model, batch.x) == batch.y


@torch.no_grad()
def _predict(model: nn.Module, x: Tensor) -> Tensor:
    logits: Tensor = model(x)
    return logits.argmax(1)
