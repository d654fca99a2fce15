"""What the loaders share: one-line errors, and arrays as samples."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data

Bytes = npt.NDArray[np.uint8]


def missing(path: Path, where: str) -> StageFailed:
    """A file is not there; `where` tells how to get it."""
    return StageFailed(f"{path} is missing", error_class=ErrorClass.USER, hint=where)


def malformed(path: Path, what: str) -> StageFailed:
    """A file is there and is not what it should be."""
    hint = "the file is damaged or of another kind: fetch it again"
    return StageFailed(f"{path}: {what}", error_class=ErrorClass.USER, hint=hint)


def read_bytes(path: Path, where: str) -> bytes:
    """The whole file, unpacked if its name ends in .gz."""
    if not path.is_file():
        raise missing(path, where)
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise malformed(path, f"not a whole gzip file ({error})") from error


def image_data(pixels: Bytes, labels: Bytes, classes: Sequence[str]) -> Data:
    """Bytes 0..255 of shape (n, channels, height, width) as samples in [0, 1]."""
    x = torch.from_numpy(pixels).float().div_(255)
    y = torch.from_numpy(labels.astype(np.int64))
    return Data(x=x, y=y, ids=torch.arange(len(y)), classes=tuple(classes), box=(0.0, 1.0))


def check_split(split: str, known: Sequence[str] = ("train", "test")) -> str:
    """The split if the dataset has it."""
    if split not in known:
        hint = f"its splits are {', '.join(known)}"
        raise StageFailed(f"the dataset has no split '{split}'", error_class=ErrorClass.USER, hint=hint)
    return split
