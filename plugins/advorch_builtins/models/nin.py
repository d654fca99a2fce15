"""Network in network (Lin, Chen and Yan 2013): 966,986 parameters on CIFAR-10."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import NinParams
from advorch_builtins.models.parts import centred, class_count, image_shape

_STD = 0.05  # of the initial weights, as in the authors' configuration


def build(params: NinParams, signature: Signature) -> nn.Module:
    """Three blocks of one wide and two 1x1 convolutions; the last 1x1 gives a map for each class.

    No ReLU follows the last: with few classes all logits could start, and stay, at zero.
    """
    channels, _, _ = image_shape("nin", signature, 8)
    module = nn.Sequential(
        centred(signature),
        *_block(channels, 192, 5, 160, 96),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Dropout(params.dropout),
        *_block(96, 192, 5, 192, 192),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.Dropout(params.dropout),
        *_block(192, 192, 3, 192, class_count(signature))[:-1],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    for layer in module:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=_STD)
            nn.init.zeros_(layer.get_parameter("bias"))
    return module


def _block(channels: int, wide: int, kernel: int, second: int, third: int) -> list[nn.Module]:
    sizes = ((channels, wide, kernel), (wide, second, 1), (second, third, 1))
    return [
        layer
        for before, after, size in sizes
        for layer in (nn.Conv2d(before, after, size, padding=size // 2), nn.ReLU())
    ]
