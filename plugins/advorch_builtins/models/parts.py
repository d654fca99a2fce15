"""What the architectures share: raw values in, one clear line where a shape cannot fit."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advorch.api import Box, ErrorClass, Signature, StageFailed


class Normalise(nn.Module):
    """`(x - mean) / std` by channel, inside the model, so that epsilon keeps the data's own units."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], dimensions: int = 1) -> None:
        super().__init__()
        shape = (-1, *[1] * (dimensions - 1))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def centred(signature: Signature) -> nn.Module:
    """The data's box onto [-1, 1]; data without a box is left as it is."""
    if signature.box is None:
        return nn.Identity()
    ends = _channels(signature.box)
    return Normalise(
        [(low + high) / 2 for low, high in ends], [(high - low) / 2 for low, high in ends], len(signature.shape)
    )


def unit(signature: Signature) -> nn.Module:
    """The data's box onto [0, 1]; data without a box, or already there, is left as it is."""
    if signature.box is None or signature.box == (0.0, 1.0):
        return nn.Identity()
    ends = _channels(signature.box)
    return Normalise([low for low, _ in ends], [high - low for low, high in ends], len(signature.shape))


def _channels(box: Box) -> list[tuple[float, float]]:
    """The ends of each channel, or one pair for all."""
    lows, highs = (end if isinstance(end, tuple) else (end,) for end in box)
    count = max(len(lows), len(highs))
    return list(zip(*(end * (count // len(end)) for end in (lows, highs)), strict=True))


def flat_size(signature: Signature) -> int:
    """Values of one sample."""
    return math.prod(signature.shape)


def image_shape(name: str, signature: Signature, smallest: int) -> tuple[int, int, int]:
    """Channels, height and width; an error where the samples are no images or too small."""
    shape = signature.shape
    if len(shape) != 3 or min(shape[1:]) < smallest:
        message = f"model '{name}' takes images of at least {smallest}x{smallest}, the data is of shape {shape}"
        hint = "'mlp' and 'linear' take any shape"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
    return shape[0], shape[1], shape[2]


def class_count(signature: Signature) -> int:
    """How many classes; one logit each, also for two."""
    if len(signature.classes) < 2:
        message = f"a classifier needs two classes or more, the data has {len(signature.classes)}"
        raise StageFailed(message, error_class=ErrorClass.USER)
    return len(signature.classes)
