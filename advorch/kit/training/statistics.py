"""Running statistics of normalisation layers: kept still for a while, or taken anew from data."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from advorch.kit.attack.traceless import evaluating
from advorch.kit.training.ranks import Ranks


def normalising(model: nn.Module) -> list[_NormBase]:
    """The layers that keep running statistics."""
    return [part for part in model.modules() if isinstance(part, _NormBase) and part.track_running_stats]


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[nn.Module]:
    """Layers use the batch's statistics where they are in training, and their running ones stay as they are."""
    layers = normalising(model)
    kept = [(layer, layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
        layer.num_batches_tracked = None
    try:
        yield model
    finally:
        for layer, momentum, seen in kept:
            layer.momentum, layer.num_batches_tracked = momentum, seen


@torch.no_grad()
def recompute(model: nn.Module, batches: Iterable[Tensor], ranks: Ranks) -> None:
    """The plain average of each batch's statistics, over all batches of all ranks."""
    layers = normalising(model)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    with evaluating(model):
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # an equal average
            layer.training = True
        for x in batches:
            model(x)
    ranks.average_buffers(model)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
