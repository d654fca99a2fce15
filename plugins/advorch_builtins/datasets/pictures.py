"""Image files of any size as one array."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from advorch_builtins.datasets.reading import Bytes, malformed


def read_pictures(paths: Sequence[Path], size: int, mode: Literal["RGB", "L"] = "RGB") -> Bytes:
    """All images, resized by bilinear interpolation, as (n, channels, size, size)."""
    channels = 3 if mode == "RGB" else 1
    out = np.empty((len(paths), channels, size, size), np.uint8)
    for row, path in enumerate(paths):
        out[row] = read_picture(path, size, mode).reshape(size, size, channels).transpose(2, 0, 1)
    return out


def read_picture(path: Path, size: int, mode: Literal["RGB", "L"], file: IO[bytes] | None = None) -> Bytes:
    """One image as Pillow lays it out: rows, columns, channels; from `file` where it lies in an archive."""
    try:
        with Image.open(path if file is None else file) as image:
            resized = image.convert(mode).resize((size, size), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise malformed(path, f"cannot be read as an image ({error})") from error
    return np.asarray(resized, np.uint8)
