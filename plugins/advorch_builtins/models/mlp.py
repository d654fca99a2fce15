"""Fully connected networks."""

from collections.abc import Callable, Mapping

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
    return fully_connected(signature, params)


def fully_connected(signature: Signature, params: MlpParams) -> nn.Module:
    """The layers in a row: normalised, activated, some dropped."""
    width = flat_size(signature)
    layers: list[nn.Module] = [centred(signature), nn.Flatten(), *_dropout(params.input_dropout)]
    for units in params.hidden:
        layers += [nn.Linear(width, units), *_norm(units, params.batch_norm != "none")]
        layers += [_ACTIVATIONS[params.activation](), *_dropout(params.dropout)]
        width = units
    classes = class_count(signature)
    model = nn.Sequential(*layers, nn.Linear(width, classes), *_norm(classes, params.batch_norm == "all"))
    if params.initial == "normal":
        model.apply(_drawn)
    return model


def _drawn(layer: nn.Module) -> None:
    """Weights of variance one over the layer's inputs, biases zero."""
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        nn.init.zeros_(layer.bias)


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []


def _norm(units: int, wanted: bool) -> list[nn.Module]:
    return [nn.BatchNorm1d(units)] if wanted else []
