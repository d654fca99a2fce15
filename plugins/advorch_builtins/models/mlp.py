"""Fully connected networks."""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import MlpParams
from advorch_builtins.models.parts import centred, class_count, flat_size

_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "celu": nn.CELU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def build(params: MlpParams, signature: Signature) -> nn.Module:
    """Hidden layers with one activation, then logits."""
    return fully_connected(signature, params.hidden, params.activation, params.dropout)


def fully_connected(signature: Signature, hidden: Sequence[int], activation: str, dropout: float) -> nn.Module:
    """The layers in a row; dropout follows every activation."""
    width = flat_size(signature)
    layers: list[nn.Module] = [centred(signature), nn.Flatten()]
    for units in hidden:
        layers += [nn.Linear(width, units), _ACTIVATIONS[activation]()]
        layers += [nn.Dropout(dropout)] if dropout else []
        width = units
    return nn.Sequential(*layers, nn.Linear(width, class_count(signature)))
