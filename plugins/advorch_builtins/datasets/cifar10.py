"""Small colour images in ten classes (Krizhevsky 2009)."""

from advorch.api import expand
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import ImagesParams
from advorch_builtins.datasets.cifar import load_rows
from advorch_builtins.datasets.listing import CIFAR10_FILES, cifar10_root
from advorch_builtins.datasets.reading import arranged, check_split

_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_WHERE = "unpack the binary version of CIFAR-10 (data_batch_1.bin to data_batch_5.bin, test_batch.bin) into `root`"


def load(params: ImagesParams, split: str) -> Data:
    """One split."""
    root = cifar10_root(expand(params.root))
    return arranged(
        load_rows([root / name for name in CIFAR10_FILES[check_split(split)]], 1, _CLASSES, _WHERE, params.canvas),
        params,
    )
