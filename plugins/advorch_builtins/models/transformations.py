"""Transformations of images: Guo et al. 2018 (arXiv:1711.00117), Xu, Evans and Qi 2018 (arXiv:1704.01155).

Functions are of values that are shares of their range.
"""

import io
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import Box, ErrorClass, Signature, StageFailed
from advorch.kit.box import ends_of
from advorch_builtins.models.catalog_around import Transformation

_GREY, _COLOUR = 1, 3
_REACH = 3  # deviations of a blur on either side


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that is asked for, in order, on the data's own values."""

    wanted: Transformation
    signature: Signature

    def __call__(self, x: Tensor) -> Tensor:
        low, high = ends_of(_range(self.signature), self.signature.shape, x)
        share, wanted = (x - low) / (high - low), self.wanted
        share = share if wanted.blur is None else blurred(share, wanted.blur)
        share = share if wanted.median is None else median(share, wanted.median)
        share = share if wanted.bits is None else reduced(share, wanted.bits)
        share = share if wanted.jpeg is None else saved(share, wanted.jpeg)
        return share * (high - low) + low


def change(wanted: Transformation, signature: Signature) -> Change:
    """The transformation, if such images can be transformed so."""
    _range(signature)
    shape = signature.shape
    if len(shape) != 3:
        raise _refused(f"transformations are for images, the samples are of shape {shape}", "")
    if wanted.jpeg is not None and shape[0] not in (_GREY, _COLOUR):
        raise _refused(f"JPEG has {_GREY} channel or {_COLOUR}, the images have {shape[0]}", "")
    if wanted.median is not None and wanted.median > min(shape[1:]):
        raise _refused(f"a median over {wanted.median} pixels is wider than images of shape {shape}", "")
    return Change(wanted, signature)


def reduced(x: Tensor, bits: int) -> Tensor:
    """The nearest of 2^bits values."""
    top = float((1 << bits) - 1)
    return (x * top).round() / top


def saved(x: Tensor, quality: int) -> Tensor:
    """What is left of each image in a JPEG file; nothing of it can be differentiated."""
    eighths = (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    again = torch.stack([_through_a_file(image, quality) for image in eighths])
    return (again.to(x.device).float() / 255).to(x.dtype)


def _through_a_file(image: Tensor, quality: int) -> Tensor:
    import numpy
    from PIL import Image

    file = io.BytesIO()
    pixels = image[0].numpy() if len(image) == _GREY else image.permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
    with Image.open(file) as opened:
        back = torch.from_numpy(numpy.array(opened))
    return back[None] if len(image) == _GREY else back.permute(2, 0, 1)


def median(x: Tensor, side: int) -> Tensor:
    """Of the square about each pixel, mirrored at the edges; of an even number the upper of the two middle values."""
    before, after = side // 2, (side - 1) // 2
    padded = functional.pad(x, (before, after, before, after), mode="reflect")
    around = padded.unfold(2, side, 1).unfold(3, side, 1).flatten(-2)
    return around.kthvalue(side * side // 2 + 1, dim=-1).values


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Gaussian, mirrored at the edges; one axis after the other."""
    reach = max(1, min(math.ceil(_REACH * deviation), min(x.shape[-2:]) - 1))
    places = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    weights = (-(places**2) / (2 * deviation**2)).exp()
    weights = weights / weights.sum()
    rows = functional.pad(x.flatten(0, 1)[:, None], (reach,) * 4, mode="reflect")
    across = functional.conv2d(rows, weights.view(1, 1, 1, -1))
    return functional.conv2d(across, weights.view(1, 1, -1, 1)).view(x.shape)


def _range(signature: Signature) -> Box:
    if signature.box is None:
        raise _refused("a transformation needs the range of the values, and the data has no box", "give the data a box")
    return signature.box


def _refused(message: str, hint: str) -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER, hint=hint)
