"""The layers whose weights are matrices, as matrices."""

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from advorch.api import ErrorClass, StageFailed
from advorch.kit.training.step import Step


def matrix_layers(model: nn.Module, wanted_by: str) -> list[nn.Linear | _ConvNd]:
    """Every linear and convolutional layer; an error where there is none."""
    layers = [part for part in model.modules() if isinstance(part, nn.Linear | _ConvNd)]
    if not layers:
        message = f"{wanted_by} needs a model with linear or convolutional layers"
        raise StageFailed(message, error_class=ErrorClass.USER)
    return layers


def in_full(step: Step) -> torch.autocast:
    """Weights keep their own precision in what is computed of them alone, whatever the samples are computed in."""
    return torch.autocast(step.x.device.type, enabled=False)


def matrix(layer: nn.Linear | _ConvNd) -> Tensor:
    """One row an output; a convolution's kernel is laid flat, which bounds its norm as an operator only loosely."""
    weight: Tensor = layer.weight
    if isinstance(layer, _ConvNd) and layer.transposed:
        weight = weight.transpose(0, 1)
    return weight.flatten(1)
