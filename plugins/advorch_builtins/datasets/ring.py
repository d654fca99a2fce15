"""A mixture of Gaussians on a circle."""

import math

import torch

from advorch.api import Seeds
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import RingParams
from advorch_builtins.datasets.reading import check_split


def load(params: RingParams, split: str) -> Data:
    """One split; the modes take turns, so each has its share to within one point."""
    count = params.n if check_split(split) == "train" else params.n_test
    rng = torch.Generator().manual_seed(Seeds(params.seed).stream(f"ring/{split}"))
    y = torch.arange(count) % params.modes
    angle = y * (2 * math.pi / params.modes)
    centre = params.radius * torch.stack([angle.cos(), angle.sin()], 1)
    x = centre + params.std * torch.randn(count, 2, generator=rng)
    classes = tuple(f"mode {mode}" for mode in range(params.modes))
    return Data(x=x, y=y, ids=torch.arange(count), classes=classes)
