"""Accuracy on held-out samples, clean and under attack; each rank judges its share."""

from itertools import chain

import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import evaluating
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
        """`clean_accuracy`, `robust_accuracy` where there is an attack (right before it and after it), and of that
        which counts the `worst_class_accuracy`."""
        place = next(chain(model.parameters(), model.buffers()), torch.empty(0)).device
        counts = torch.zeros(3, len(self._data.classes), dtype=torch.float64, device=place)
        with evaluating(model):
            share = self._data.take(ranks.share(len(self._data)))
            for start in range(0, len(share), self._batch):
                batch = share.take(slice(start, start + self._batch))
                counts += self._count(model, batch.to(str(place)))
        return self._shares(ranks.total(counts).cpu())

    def _shares(self, counts: Tensor) -> dict[str, float]:
        samples, clean, robust = counts
        counted = robust if self._attack else clean
        worst = float((counted / samples)[samples > 0].min())
        found = {"clean_accuracy": float(clean.sum() / samples.sum()), "worst_class_accuracy": worst}
        return found | ({"robust_accuracy": float(robust.sum() / samples.sum())} if self._attack else {})

    def _count(self, model: nn.Module, batch: Data) -> Tensor:
        """By class: how many there are, are right, and stay right; what is wrong already needs no attack."""
        right = _right(model, batch)
        kept = batch.take(right.nonzero().squeeze(1))
        held = kept.y[:0]
        if self._attack and len(kept):
            draws = Draws(self._seed, kept.ids)
            adversarial = self._attack(model, kept.x, kept.y, draws, None)
            held = kept.y[_predict(model, adversarial) == kept.y]
        classes = len(self._data.classes)
        return torch.stack([torch.bincount(labels, minlength=classes) for labels in (batch.y, kept.y, held)]).double()


def _right(model: nn.Module, batch: Data) -> Tensor:
    return _predict(model, batch.x) == batch.y


@torch.no_grad()
def _predict(model: nn.Module, x: Tensor) -> Tensor:
    logits: Tensor = model(x)
    return logits.argmax(1)
