"""What the planar toys share: seeds by split, and a plane laid into a larger space."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from advorch.api import Seeds
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import PlaneParams
from advorch_builtins.datasets.reading import check_split, in_turns

Floats = npt.NDArray[np.float64]
Make = Callable[[int, int], tuple[Floats, npt.NDArray[np.int64]]]


def planar(name: str, params: PlaneParams, split: str, make: Make) -> Data:
    """Points from `make(count, seed)`, in the plane or embedded."""
    count, seeds = params.n if check_split(split) == "train" else params.n_test, Seeds(params.seed)
    points, labels = make(count, seeds.stream(f"{name}/{split}") % 2**32)
    if params.dimensions > 2:
        points = points @ plane(params.dimensions, seeds.stream(f"{name}/plane"))
    y = torch.from_numpy(labels).long()
    data = Data(x=torch.from_numpy(points).float(), y=y, ids=torch.arange(count), classes=("first", "second"))
    return in_turns(data, params.balanced)


def plane(dimensions: int, seed: int) -> Floats:
    """Two orthonormal rows in a space of so many dimensions: distances in the plane are kept."""
    frame, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimensions, 2)))
    return np.asarray(frame.T)
