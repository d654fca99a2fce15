"""A mixture of Gaussians on a square grid."""

import torch

from advorch.api import Seeds
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog_mixtures import GridParams
from advorch_builtins.datasets.reading import check_split


def load(params: GridParams, split: str) -> Data:
    """One split; the modes take turns, so each has its share to within one point."""
    count = params.n if check_split(split) == "train" else params.n_test
    rng = torch.Generator().manual_seed(Seeds(params.seed).stream(f"grid/{split}"))
    y = torch.arange(count) % params.side**2
    place = torch.stack([y % params.side, y // params.side], 1) - (params.side - 1) / 2
    x = params.spacing * place + params.std * torch.randn(count, 2, generator=rng)
    return Data(x=x, y=y, ids=torch.arange(count), classes=tuple(f"mode {mode}" for mode in range(params.side**2)))
