"""Images turned and shifted, differentiably in the angle and the shift."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from advorch.kit.attack.resizing import check_images
from advorch.kit.box import ends_of
from advorch.threat import Box, End

Padding = Literal["black", "reflect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """How far a pose may go, and what comes into the picture from outside.

    A pose is three numbers from -1 to 1 for each sample: the angle in units of `degrees`, then the shifts to the right
    and down in units of `shift`, a share of the side.
    """

    degrees: float
    shift: float
    padding: Padding = "black"
    black: End = 0.0

    def __call__(self, images: Tensor, pose: Tensor) -> Tensor:
        """Each image turned counterclockwise about its middle, then shifted; bilinear between pixels."""
        check_images(images)
        rows, columns = self._sources(images, pose)
        top, left = rows.detach().floor(), columns.detach().floor()
        down, right = (rows - top)[:, None], (columns - left)[:, None]
        return (
            self._pixels(images, top, left) * ((1 - down) * (1 - right))
            + self._pixels(images, top, left + 1) * ((1 - down) * right)
            + self._pixels(images, top + 1, left) * (down * (1 - right))
            + self._pixels(images, top + 1, left + 1) * (down * right)
        )

    def _sources(self, images: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Where in the image each pixel of the result comes from: a row and a column, in pixels."""
        height, width = images.shape[-2:]
        angle, across, down = (number[:, None, None] for number in pose.unbind(1))
        angle = angle * math.radians(self.degrees)
        middle = ((height - 1) / 2, (width - 1) / 2)
        rows = torch.arange(height, dtype=pose.dtype, device=pose.device)[None, :, None] - middle[0]
        columns = torch.arange(width, dtype=pose.dtype, device=pose.device)[None, None, :] - middle[1]
        rows, columns = rows - down * (self.shift * height), columns - across * (self.shift * width)
        sine, cosine = angle.sin(), angle.cos()
        return sine * columns + cosine * rows + middle[0], cosine * columns - sine * rows + middle[1]

    def _pixels(self, images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The pixels at whole rows and columns, inside the picture or not."""
        height, width = images.shape[-2:]
        place = _folded(rows, height) * width + _folded(columns, width)
        chosen = place.flatten(1)[:, None].expand(-1, images.shape[1], -1)
        found = images.flatten(2).gather(2, chosen).view_as(images)
        if self.padding == "black":
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            return torch.where(
                inside[:, None], found, ends_of((self.black, self.black), tuple(images.shape[1:]), found)[0]
            )
        return found


def black_of(box: Box | None) -> End:
    """The lowest legal value, of each channel."""
    return 0.0 if box is None else box[0]


def _folded(index: Tensor, side: int) -> Tensor:
    """An index outside, mirrored at the edges of the picture until it is inside."""
    around = index.to(torch.int64) % (2 * side)
    return torch.minimum(around, 2 * side - 1 - around)
