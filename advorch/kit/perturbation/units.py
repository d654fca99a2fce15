"""Images as shares of their range, which is what cameras and printers know."""

import torch
from torch import Tensor

from advorch.artifacts import Signature
from advorch.errors import ErrorClass, StageFailed
from advorch.threat import Box

Range = tuple[float, float]


def image_range(signature: Signature) -> Range:
    """The box of images; other data has no surface to paint on."""
    return box_of_images(signature.shape, signature.box)


def box_of_images(shape: tuple[int, ...], box: Box | None) -> Range:
    """The same for one sample's shape."""
    if len(shape) != 3:
        raise _refused(f"this is for images (channels, height, width), not samples of shape {shape}")
    if shape[1] != shape[2]:
        raise _refused(f"this turns what it shows, and is for square images, not {shape[1]} by {shape[2]} pixels")
    low, high = box or (None, None)
    if isinstance(low, float | int) and isinstance(high, float | int):
        return low, high
    raise _refused("this needs one range for the values of all channels, and the data does not tell it")


def values_within(box: Range, low: float, high: float) -> Range:
    """Shares of a range as values in it."""
    return box[0] + low * (box[1] - box[0]), box[0] + high * (box[1] - box[0])


def to_unit(x: Tensor, box: Range) -> Tensor:
    """Values as shares of the range."""
    return (x - box[0]) / (box[1] - box[0])


def from_unit(share: Tensor, box: Range) -> Tensor:
    """Shares of the range as the data's own values."""
    return torch.lerp(torch.full_like(share, box[0]), torch.full_like(share, box[1]), share)


def _refused(message: str) -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER)
