"""The IDX files that MNIST and its relatives are kept in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advorch.api import expand
from advorch.kit.data import Data
from advorch_builtins.datasets.listing import IDX_STEMS, packed
from advorch_builtins.datasets.reading import Bytes, check_split, image_data, malformed, read_bytes


def load_images(root: str, split: str, classes: Sequence[str], where: str, canvas: int = 0) -> Data:
    """Images and labels of one split, in the order of the files."""
    images, labels = (packed(expand(root) / stem) for stem in IDX_STEMS[check_split(split)])
    pixels, y = read_idx(images, 3, where), read_idx(labels, 1, where)
    if len(pixels) != len(y):
        raise malformed(labels, f"{len(y)} labels for the {len(pixels)} images of {images.name}")
    if len(y) and y.max() >= len(classes):
        raise malformed(labels, f"label {y.max()} is not below {len(classes)}")
    return image_data(pixels[:, None], y, classes, canvas)


def read_idx(path: Path, dimensions: int, where: str) -> Bytes:
    """An array of bytes: a magic number (0, 0, 8, dimensions), big-endian sizes, then the values."""
    raw = read_bytes(path, where)
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:4] != bytes((0, 0, 8, dimensions)):
        raise malformed(path, f"does not begin with the magic number of {dimensions}-dimensional bytes")
    sizes = np.frombuffer(raw, ">u4", count=dimensions, offset=4).astype(np.int64)
    if len(raw) - header != sizes.prod():
        raise malformed(path, f"holds {len(raw) - header} values where its header says {sizes.prod()}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(sizes).copy()
