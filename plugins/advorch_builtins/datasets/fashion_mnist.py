"""Articles of clothing (Xiao, Rasul and Vollgraf)."""

from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import ImagesParams
from advorch_builtins.datasets.idx import load_images
from advorch_builtins.datasets.reading import arranged

_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_WHERE = "put the four IDX files of Zalando's Fashion-MNIST (train-images-idx3-ubyte, ..., plain or .gz) into `root`"


def load(params: ImagesParams, split: str) -> Data:
    """One split."""
    return arranged(load_images(params.root, split, _CLASSES, _WHERE, params.canvas), params)
