"""The part of a picture that may change."""

from typing import TypeAlias

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed

Region: TypeAlias = tuple[int, int, int, int]
"""Top, left, height and width, in pixels."""


def region_mask(region: Region | None, sample: tuple[int, ...]) -> Tensor | None:
    """True inside the region, in every channel, for samples of a shape; without a region everything may change."""
    if region is None:
        return None
    top, left, height, width = region
    check_region(region, sample)
    mask = torch.zeros((1, *sample), dtype=torch.bool)
    mask[..., top : top + height, left : left + width] = True
    return mask


def check_region(region: Region, sample: tuple[int, ...]) -> None:
    """A region lies within pictures of a shape."""
    top, left, height, width = region
    if len(sample) not in (2, 3) or top + height > sample[-2] or left + width > sample[-1]:
        message = f"region {list(region)} does not lie in samples of shape {sample}"
        hint = "it is [top, left, height, width] in pixels"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
