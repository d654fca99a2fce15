"""Patches pasted into pictures at a place, an angle and a size of their own."""

import math

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.perturbation.homography import similarity, warp
from advorch.kit.perturbation.placing import Placing


def placed(placing: Placing, rng: Draws, like: Tensor) -> Tensor:
    """Maps that put a patch wholly inside the frame, wherever there is room for it."""
    scale = rng.fork("scale").uniform((), *placing.scale, like=like)
    angle = rng.fork("angle").uniform((), -placing.degrees, placing.degrees, like=like) * (math.pi / 180)
    reach = scale * ((angle.cos().abs() + angle.sin().abs()) if placing.outline == "square" else 1)
    room = (1 - reach).clamp(min=0)
    shift = rng.fork("place").uniform((2,), -1.0, 1.0, like=like) * room[:, None]
    return similarity(scale, angle, shift)


def paste(images: Tensor, patch: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
    """The patch over each image under its map, blended where it covers a part of a pixel."""
    count, (height, width) = len(images), images.shape[-2:]
    layers = torch.cat([patch * mask, mask.to(patch.dtype)], 1).expand(count, -1, -1, -1)
    seen, inside = warp(layers, maps, height, width)
    cover = (seen[:, -1:] * inside).clamp(0, 1)
    return images * (1 - cover) + seen[:, :-1] * inside
