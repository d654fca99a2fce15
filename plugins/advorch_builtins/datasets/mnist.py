"""Handwritten digits (LeCun, Cortes and Burges)."""

from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import ImagesParams
from advorch_builtins.datasets.idx import load_images
from advorch_builtins.datasets.reading import arranged

_WHERE = "put the four IDX files of the MNIST database (train-images-idx3-ubyte, ..., plain or .gz) into `root`"


def load(params: ImagesParams, split: str) -> Data:
    """One split."""
    return arranged(load_images(params.root, split, [str(digit) for digit in range(10)], _WHERE, params.canvas), params)
