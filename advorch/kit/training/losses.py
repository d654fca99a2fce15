"""Losses of a classifier by name, one number a sample."""

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor
from torch.nn import functional

from advorch.kit.training.loss_names import LossName


def losses(name: LossName, logits: Tensor, y: Tensor) -> Tensor:
    """The loss of each sample; those that know only labels of -1 and +1 see one class against the rest, summed."""
    if name == "cross-entropy":
        return functional.cross_entropy(logits, y, reduction="none")
    return _OF_MARGIN[name](margins(logits, y)).sum(1)


def margins(logits: Tensor, y: Tensor) -> Tensor:
    """Label times score. Two classes have one score, by how much the second leads, and the label -1 or +1; of more,
    every logit is the score of its class against the rest."""
    if logits.shape[1] == 2:
        return (logits[:, 1:] - logits[:, :1]) * (2 * y[:, None] - 1)
    return logits * (2 * functional.one_hot(y, logits.shape[1]) - 1)


_OF_MARGIN: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "squared": lambda margin: (1 - margin).square(),
    "hinge": lambda margin: (1 - margin).relu(),
    "logistic": lambda margin: functional.softplus(-margin),
}
