"""The MNIST net of Madry et al. (mnist_challenge): 3,274,634 parameters on 28x28 grey images."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import FixedParams
from advorch_builtins.models.parts import class_count, image_shape, unit

_INIT = 0.1  # standard deviation of the truncated normal weights, and the value of every bias


def build(params: FixedParams, signature: Signature) -> nn.Module:
    """Two convolutions that keep the size, each halved by pooling, and 1024 units; inputs in [0, 1]."""
    channels, height, width = image_shape("madry-cnn", signature, 4)
    module = nn.Sequential(
        unit(signature),
        nn.Conv2d(channels, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 1024),
        nn.ReLU(),
        nn.Linear(1024, class_count(signature)),
    )
    for layer in module:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, 0.0, _INIT, -2 * _INIT, 2 * _INIT)
            nn.init.constant_(layer.get_parameter("bias"), _INIT)
    return module
