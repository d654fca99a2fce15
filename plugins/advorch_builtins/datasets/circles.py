"""Two circles about one centre."""

from sklearn.datasets import make_circles

from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import CirclesParams
from advorch_builtins.datasets.plane import planar


def load(params: CirclesParams, split: str) -> Data:
    """One split, drawn from a seed of its own."""
    return planar(
        "circles",
        params,
        split,
        lambda n, seed: make_circles(n, noise=params.noise, factor=params.factor, random_state=seed),
    )
