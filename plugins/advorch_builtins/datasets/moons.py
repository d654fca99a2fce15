"""Two interleaving half circles."""

from sklearn.datasets import make_moons

from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import PlaneParams
from advorch_builtins.datasets.plane import planar


def load(params: PlaneParams, split: str) -> Data:
    """One split, drawn from a seed of its own."""
    return planar("moons", params, split, lambda n, seed: make_moons(n, noise=params.noise, random_state=seed))
