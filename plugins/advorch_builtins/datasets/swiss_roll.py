"""Points on a spiral in the plane; its angle is drawn uniformly, as in scikit-learn and in toys of generators."""

import math

import torch

from advorch.api import Seeds
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog_mixtures import SwissRollParams
from advorch_builtins.datasets.reading import check_split

_START, _TURNS = 1.5 * math.pi, 3 * math.pi  # where scikit-learn's roll begins, and how far it turns
_SCALE = 7.5  # by which the toys of Gulrajani et al. 2017 divide it


def load(params: SwissRollParams, split: str) -> Data:
    """One split; the class of a point is its stretch of the spiral, counted from the inside."""
    count = params.n if check_split(split) == "train" else params.n_test
    rng = torch.Generator().manual_seed(Seeds(params.seed).stream(f"swiss-roll/{split}"))
    share = torch.rand(count, generator=rng)
    angle = _START + _TURNS * share
    x = torch.stack([angle * angle.cos(), angle * angle.sin()], 1) + params.noise * torch.randn(count, 2, generator=rng)
    y = (share * params.stretches).long().clamp(max=params.stretches - 1)
    classes = tuple(f"stretch {number}" for number in range(params.stretches))
    return Data(x=x / _SCALE, y=y, ids=torch.arange(count), classes=classes)
