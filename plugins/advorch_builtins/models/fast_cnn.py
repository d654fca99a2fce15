"""The MNIST net of "Fast is better than free" (Wong, Rice and Kolter 2020): 166,406 parameters on 28x28 grey images."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import FixedParams
from advorch_builtins.models.parts import class_count, image_shape, unit


def build(params: FixedParams, signature: Signature) -> nn.Module:
    """Two 4x4 convolutions (16, 32) that halve the image, and 100 units; inputs in [0, 1]."""
    channels, height, width = image_shape("fast-cnn", signature, 4)
    return nn.Sequential(
        unit(signature),
        nn.Conv2d(channels, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * (height // 2 // 2) * (width // 2 // 2), 100),
        nn.ReLU(),
        nn.Linear(100, class_count(signature)),
    )
