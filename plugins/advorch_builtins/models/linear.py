"""Softmax regression."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import LinearParams
from advorch_builtins.models.parts import centred, class_count, flat_size


def build(params: LinearParams, signature: Signature) -> nn.Module:
    """One linear layer on the flattened input."""
    layer = nn.Linear(flat_size(signature), class_count(signature))
    if params.initial == "zero":
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(centred(signature), nn.Flatten(), layer)
