"""Images made smaller and put somewhere on an empty canvas of their old size, each image its own way."""

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import per_sample


def check_images(x: Tensor) -> None:
    """Whether the samples have channels, rows and columns."""
    if x.dim() != 4:
        shape = tuple(x.shape[1:])
        raise StageFailed(
            f"this attack changes images (channels, height, width), not samples of shape {shape}",
            error_class=ErrorClass.USER,
            hint="use an attack that knows nothing of pixels, such as mim",
        )


def resized_and_padded(images: Tensor, least: float, probability: float, rng: Draws) -> Tensor:
    """Bilinear, to between `least` and all of the size, at a random place; some images stay as they are.

    Rows and columns are mixed by one matrix each, so that every image has its own and the gradient is exact.
    """
    height, width = images.shape[2:]
    share = least + (1 - least) * rng.uniform((), like=images)
    share = torch.where(rng.uniform((), like=images) < probability, share, 1)
    rows = _shrink(height, share, rng.uniform((), like=images))
    columns = _shrink(width, share, rng.uniform((), like=images))
    return torch.einsum("nij,ncjk,nlk->ncil", rows, images, columns)


def _shrink(size: int, share: Tensor, where: Tensor) -> Tensor:
    """For each sample the matrix that shrinks a line to a share of it and moves it to a place in what is left."""
    short = (share * size).round().clamp(1, size)
    offset = (where * (size - short + 1)).floor()
    place = torch.arange(size, dtype=share.dtype, device=share.device)
    within = place - per_sample(offset, place.expand(len(share), size))
    source = ((within + 0.5) * (size / short)[:, None] - 0.5).clamp(0, size - 1)
    weight = (1 - (source[:, :, None] - place).abs()).clamp(min=0)
    inside = (within >= 0) & (within < short[:, None])
    return torch.where(inside[:, :, None], weight, 0)
