"""Augmentation by random numbers that belong to the sample, so that no worker count changes a picture."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from advorch.artifacts import Signature
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.warp import Warp, black_of
from advorch.threat import End

Augment = Callable[[Tensor, Draws], Tensor]

_SHIFT = 2  # pixels, as is usual for 28x28 digits
_DEGREES, _SHARE = 30.0, 0.1  # to either side, and of the side (Engstrom et al. 2019)
_CROP = 4  # pixels of padding before the crop (Lee et al. 2015; He et al. 2016 for CIFAR)


def augmentation(name: str, signature: Signature) -> Augment:
    """The augmentation by name; new pixels get the box's lower end."""
    if name != "none" and len(signature.shape) != 3:
        message = f"augment '{name}' is for images, the data is of shape {signature.shape}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="set `augment: none`")
    fill = black_of(signature.box)
    known: Mapping[str, Augment] = {
        "none": lambda x, draws: x,
        "shift": lambda x, draws: random_crop(x, draws, _SHIFT, fill),
        "rotate": lambda x, draws: random_pose(x, draws, fill),
        "crop-flip": lambda x, draws: random_flip(random_crop(x, draws, _CROP, fill), draws),
    }
    return known[name]


def random_crop(x: Tensor, draws: Draws, padding: int, fill: End) -> Tensor:
    """Pad all around, then cut each image back to its size at a place of its own."""
    height, width = x.shape[-2:]
    padded = _padded(x, padding, fill)
    corner = draws.integers((2,), 0, 2 * padding + 1).to(x.device)
    rows = corner[:, 0, None] + torch.arange(height, device=x.device)
    columns = corner[:, 1, None] + torch.arange(width, device=x.device)
    sample = torch.arange(len(x), device=x.device)
    # Advanced indices on both sides of the channels put the channels last.
    return padded[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1).contiguous()


def _padded(x: Tensor, padding: int, fill: End) -> Tensor:
    if not isinstance(fill, tuple):
        return functional.pad(x, (padding,) * 4, value=fill)
    channels = zip(torch.split(x, 1, dim=1), fill, strict=True)
    return torch.cat([functional.pad(channel, (padding,) * 4, value=value) for channel, value in channels], dim=1)


def random_pose(x: Tensor, draws: Draws, fill: End) -> Tensor:
    """Turn and shift each image by amounts of its own, evenly up to 30 degrees and a tenth of the side."""
    warp = Warp(degrees=_DEGREES, shift=_SHARE, black=fill)
    return warp(x, draws.uniform((3,), -1.0, 1.0, like=x))


def random_flip(x: Tensor, draws: Draws) -> Tensor:
    """Mirror about half of the images left to right."""
    flip = draws.integers((), 0, 2).to(x.device).bool()
    return torch.where(flip[:, None, None, None], x.flip(-1), x)
