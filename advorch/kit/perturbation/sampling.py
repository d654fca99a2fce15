"""Values of images between their pixels, differentiable in the image."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Beyond = Literal["edge", "around"]


def sample(images: Tensor, points: Tensor, beyond: Beyond = "edge") -> Tensor:
    """Bilinear values at points of [-1, 1] x [-1, 1], the outer edges of the outer pixels: (n, points, 2) of right and
    down give (n, channels, points).

    Beyond, the nearest pixel of the edge counts; `around` closes left and right to a ring.
    """
    if torch.are_deterministic_algorithms_enabled() and images.is_cuda:
        return by_gathering(images, points, beyond)
    if beyond == "around":
        width = images.shape[-1]
        turned = (points[..., 0] + 1).remainder(2) * (width / (width + 2)) + 2 / (width + 2) - 1
        images, points = functional.pad(images, (1, 1, 0, 0), "circular"), torch.stack([turned, points[..., 1]], -1)
    found = functional.grid_sample(images, points[:, None], "bilinear", "border", align_corners=False)
    return found[:, :, 0]


def by_gathering(images: Tensor, points: Tensor, beyond: Beyond = "edge") -> Tensor:
    """The same, slower, where a GPU has to be deterministic: the backward of `grid_sample` adds in any order."""
    height, width = images.shape[-2:]
    column = (points[..., 0] + 1) * (width / 2) - 0.5
    row = (points[..., 1] + 1) * (height / 2) - 0.5
    left, top = column.floor(), row.floor()
    right, down = (column - left)[:, None], (row - top)[:, None]

    def pixel(rows: Tensor, columns: Tensor) -> Tensor:
        columns = columns.remainder(width) if beyond == "around" else columns.clamp(0, width - 1)
        place = (rows.clamp(0, height - 1) * width + columns).long()
        return images.flatten(2).gather(2, place[:, None].expand(-1, images.shape[1], -1))

    return (pixel(top, left) * (1 - right) + pixel(top, left + 1) * right) * (1 - down) + (
        pixel(top + 1, left) * (1 - right) + pixel(top + 1, left + 1) * right
    ) * down


def frame_points(height: int, width: int, finer: int, like: Tensor) -> Tensor:
    """The middles of all pixels of a frame, each cut into `finer` by `finer`, row by row: (points, 2)."""
    rows, columns = (
        (2 * torch.arange(side * finer, dtype=like.dtype, device=like.device) + 1) / (side * finer) - 1
        for side in (height, width)
    )
    grid = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([grid[1].flatten(), grid[0].flatten()], 1)


def gathered(values: Tensor, height: int, width: int, finer: int) -> Tensor:
    """What was seen at all points of `frame_points`, as images: the mean of each pixel's parts."""
    parts = values.view(*values.shape[:2], height, finer, width, finer)
    return parts.mean((3, 5))


def blurred(images: Tensor, pixels: Tensor) -> Tensor:
    """As a camera sees each image that has fewer pixels across than the image: a Gaussian as wide as its pixels."""
    finest = images.shape[-1]
    excess = ((finest / pixels).square() - 1).clamp(min=0)
    sigma = 0.5 * excess.sqrt()  # what is left of a pixel's own width, taken as half of it
    across, down = (_gaussian(side, sigma) for side in (images.shape[-1], images.shape[-2]))
    return torch.einsum("nij,ncjk,nlk->ncil", down, images, across)


def _gaussian(side: int, sigma: Tensor) -> Tensor:
    """For each sigma the matrix that spreads a line of pixels; its rows sum to one, at the ends too."""
    place = torch.arange(side, dtype=sigma.dtype, device=sigma.device)
    square = (place[:, None] - place).square()
    weight = torch.where(square == 0, 1, (-square / (2 * sigma[:, None, None].square()).clamp(min=1e-12)).exp())
    return weight / weight.sum(2, keepdim=True)
