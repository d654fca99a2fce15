"""The geometry of Square: windows at places drawn for each sample, and the bumps that its l2 form puts there."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws


@dataclass(frozen=True, slots=True)
class Picture:
    """How a sample is laid out; a vector is an image of one row."""

    channels: int
    height: int
    width: int

    @classmethod
    def of(cls, x: Tensor) -> "Picture":
        """The layout of the samples of a batch."""
        shape = (1, 1, *x.shape[1:])
        return cls(math.prod(shape[:-2]), shape[-2], shape[-1])

    def view(self, x: Tensor) -> Tensor:
        """Samples by channel, row and column."""
        return x.reshape(len(x), self.channels, self.height, self.width)

    def window(self, share: float) -> "Window":
        """As close to a square as the picture lets it be, of about a share of the area."""
        area = share * self.height * self.width
        height = min(max(round(math.sqrt(area)), 1), self.height)
        width = max(round(math.sqrt(area)), 1) if height < self.height else max(round(area / height), 1)
        return Window(self, height, min(width, self.width))


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle without a place."""

    picture: Picture
    height: int
    width: int

    def odd(self) -> "Window":
        """With a middle, and room for a bump where the picture has it."""
        rows, columns = max(self.height, 3) | 1, max(self.width, 3) | 1
        return Window(self.picture, min(rows, self.picture.height), min(columns, self.picture.width))

    def corner(self, rng: Draws, *, like: Tensor) -> tuple[Tensor, Tensor]:
        """Its first row and column, drawn for each sample, on the device of `like`."""
        top = rng.integers((), 0, self.picture.height - self.height + 1)
        left = rng.integers((), 0, self.picture.width - self.width + 1)
        return top.to(like.device), left.to(like.device)

    def covers(self, corner: tuple[Tensor, Tensor]) -> Tensor:
        """Which pixels of each sample it covers there."""
        rows, columns = self.offsets(corner)
        return _between(rows, self.height)[:, :, None] & _between(columns, self.width)[:, None, :]

    def inside(self, rng: Draws, *, like: Tensor) -> Tensor:
        """Which pixels it covers at a drawn place."""
        return self.covers(self.corner(rng, like=like))

    def offsets(self, corner: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Every row and column of the picture, counted from the window's first."""
        top, left = corner
        rows = torch.arange(self.picture.height, device=top.device)[None] - top[:, None]
        return rows, torch.arange(self.picture.width, device=top.device)[None] - left[:, None]


def place(shape: Tensor, corner: tuple[Tensor, Tensor], window: Window) -> Tensor:
    """What fits a window, one a sample, put into an empty picture."""
    rows, columns = window.offsets(corner)
    sample = torch.arange(len(shape), device=shape.device)[:, None, None]
    spread = shape[sample, rows.clamp(0, window.height - 1)[:, :, None], columns.clamp(0, window.width - 1)[:, None, :]]
    return torch.where(window.covers(corner), spread, 0)


def bump(window: Window, rng: Draws, *, like: Tensor, order: int = 2) -> Tensor:
    """A hill beside a valley, on top of it or to its left by a coin, for each sample."""
    upright = _two_sided(window.height, window.width, like, order)
    lying = _two_sided(window.width, window.height, like, order).T
    coin = rng.sign((1, 1), like=like) > 0
    if 1 in (window.height, window.width):  # there is one way to put two halves side by side
        coin = torch.full_like(coin, window.width == 1)
    return torch.where(coin, upright, lying)


def tiles(picture: Picture, rng: Draws, *, like: Tensor, order: int = 2) -> Tensor:
    """Bumps of a fifth of the side, side by side, with a sign for each channel."""
    tile = Window(picture, max(picture.height // 5, 1), max(picture.width // 5, 1))
    down, across = picture.height // tile.height, picture.width // tile.width
    first = ((picture.height - down * tile.height) // 2, (picture.width - across * tile.width) // 2)
    carpet = like.new_zeros(len(rng), picture.channels, picture.height, picture.width)
    for number in range(down * across):
        top, left = first[0] + number // across * tile.height, first[1] + number % across * tile.width
        signs = rng.sign((picture.channels, 1, 1), like=like)
        hill = bump(tile, rng, like=like, order=order)[:, None] * signs
        carpet[:, :, top : top + tile.height, left : left + tile.width] = hill
    return carpet


def _two_sided(height: int, width: int, like: Tensor, order: int) -> Tensor:
    """A pyramid over an equal one turned down, of length one."""
    half = height // 2
    both = torch.cat([_pyramid(half, width, like, order), -_pyramid(height - half, width, like, order)])
    return both / both.abs().pow(order).sum() ** (1 / order)


def _pyramid(height: int, width: int, like: Tensor, order: int) -> Tensor:
    """Nested rectangles around the middle, the k-th adding 1 / k^2, in l1 1 / k^4; of length one."""
    rows = (torch.arange(height, device=like.device) - height // 2).abs()
    columns = (torch.arange(width, device=like.device) - width // 2).abs()
    rings = torch.maximum(rows[:, None], columns[None, :])
    steps = torch.arange(1, max(height // 2, width // 2) + 2, device=like.device, dtype=like.dtype)
    heights = steps.pow(-4.0 if order == 1 else -2.0).flip(0).cumsum(0).flip(0)
    pyramid: Tensor = heights[rings]
    return pyramid / (pyramid.pow(order).sum() ** (1 / order)).clamp(min=1e-12)


def _between(values: Tensor, end: int) -> Tensor:
    return (values >= 0) & (values < end)
