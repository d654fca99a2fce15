"""What a printer can print: the non-printability score of Sharif et al., CCS 2016, as RP2 uses it."""

import itertools
from typing import Final

import torch
from torch import Tensor

PALETTE: Final = tuple(itertools.product((0.1, 0.35, 0.6, 0.85), repeat=3))
"""Colours of an ordinary printer where nobody measured one: neither its black nor its white is the screen's."""


def palette_of(colours: tuple[tuple[float, ...], ...], channels: int, like: Tensor) -> Tensor:
    """The palette as (colours, channels); of one channel the greys."""
    known = torch.tensor(colours or PALETTE, dtype=like.dtype, device=like.device)
    if known.shape[1] == channels:
        return known
    greys = sorted(set(known.mean(1).tolist()))
    return torch.tensor(greys, dtype=like.dtype, device=like.device)[:, None].expand(-1, channels)


def non_printability(picture: Tensor, palette: Tensor, mask: Tensor) -> Tensor:
    """The mean over the masked pixels of the product of distances to all colours, root of their number taken.

    Zero where every pixel is a colour of the palette. The paper sums products, whose size is that of the palette's
    count; the root keeps the score, its zeros and its order, and makes it a distance between colours.
    """
    pixels = picture.flatten(1).T
    square = (pixels[:, None] - palette).square().mean(2)
    logs = square.clamp(min=1e-12).log().mean(1) / 2
    score = torch.where(square.amin(1) <= 1e-12, 0, logs.exp())
    weight = mask.expand_as(picture)[0].flatten().to(score.dtype)
    return (score * weight).sum() / weight.sum().clamp(min=1)


def nearest_printable(picture: Tensor, palette: Tensor) -> Tensor:
    """Every pixel in the nearest colour of the palette."""
    pixels = picture.flatten(1).T
    chosen = torch.cdist(pixels, palette).argmin(1)
    return palette[chosen].T.reshape(picture.shape)
