"""The binary version of the CIFAR files: label bytes, then 3x32x32 pixel bytes, a row a sample."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advorch.kit.data import Data
from advorch_builtins.datasets.reading import Bytes, image_data, malformed, read_bytes

_PIXELS = 3 * 32 * 32


def load_rows(files: Sequence[Path], labels: int, classes: Sequence[str], where: str, canvas: int = 0) -> Data:
    """All rows of the files in order; the last of the label bytes is the label."""
    rows = np.concatenate([read_rows(path, labels, len(classes), where) for path in files])
    return image_data(rows[:, labels:].reshape(-1, 3, 32, 32), rows[:, labels - 1], classes, canvas)


def read_rows(path: Path, labels: int, classes: int, where: str) -> Bytes:
    """The rows of one file."""
    raw, width = read_bytes(path, where), labels + _PIXELS
    if not raw or len(raw) % width:
        raise malformed(path, f"its {len(raw)} bytes are no whole number of rows of {width}")
    rows = np.frombuffer(raw, np.uint8).reshape(-1, width)
    if (worst := rows[:, labels - 1].max()) >= classes:
        raise malformed(path, f"label {worst} is not below {classes}")
    return rows
