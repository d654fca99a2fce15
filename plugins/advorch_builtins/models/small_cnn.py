"""The MNIST net of TRADES (Zhang et al. 2019): 312,202 parameters on 28x28 grey images."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import SmallCnnParams
from advorch_builtins.models.parts import class_count, image_shape, unit


def build(params: SmallCnnParams, signature: Signature) -> nn.Module:
    """Convolutions 32, 32, 64, 64 and layers 200, 200; the last layer starts at zero, as published."""
    smallest = 4 if params.padding else 16
    channels, height, width = image_shape("small-cnn", signature, smallest)
    trunk = [
        *_stage(channels, 32, params.padding),
        *_stage(32, 64, params.padding),
    ]
    after = 64 * _shrunk(height, params.padding) * _shrunk(width, params.padding)
    head = nn.Linear(200, class_count(signature))
    for layer in trunk:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    hidden = [nn.Linear(after, 200), nn.ReLU(), nn.Dropout(params.dropout), nn.Linear(200, 200), nn.ReLU()]
    return nn.Sequential(unit(signature), *trunk, nn.Flatten(), *hidden, head)


def _stage(before: int, after: int, padding: int) -> list[nn.Module]:
    first, second = nn.Conv2d(before, after, 3, padding=padding), nn.Conv2d(after, after, 3, padding=padding)
    return [first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)]


def _shrunk(size: int, padding: int) -> int:
    """A side after both stages, each two convolutions and a halving."""
    lost = 4 - 4 * padding
    return ((size - lost) // 2 - lost) // 2
