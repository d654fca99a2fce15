"""Two interleaving half circles."""

import numpy as np
import numpy.typing as npt
from sklearn.datasets import make_moons

from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import MoonsParams
from advorch_builtins.datasets.plane import Floats, planar

_MIDDLE = (0.5, 0.25)  # of scikit-learn's moons


def load(params: MoonsParams, split: str) -> Data:
    """One split, drawn from a seed of its own."""

    def make(count: int, seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
        points, labels = make_moons(count, noise=params.noise, random_state=seed)
        return points - _MIDDLE if params.centred else points, labels

    return planar("moons", params, split, make)
