"""What the loaders share: one-line errors, and arrays as samples."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import ImagesParams

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


def image_data(pixels: Bytes, labels: Bytes, classes: Sequence[str], canvas: int = 0) -> Data:
    """Bytes 0..255 of shape (n, channels, height, width) as samples in [0, 1], in the middle of a black canvas."""
    x = torch.from_numpy(pixels).float().div_(255)
    x = functional.pad(x, (canvas,) * 4) if canvas else x
    y = torch.from_numpy(labels.astype(np.int64))
    return Data(x=x, y=y, ids=torch.arange(len(y)), classes=tuple(classes), box=(0.0, 1.0))


def only(data: Data, names: Sequence[str]) -> Data:
    """The samples of some classes, which are the data's own from here on; ids stay. No names keep everything."""
    if not names:
        return data
    unknown = [name for name in names if name not in data.classes]
    if unknown or len(set(names)) < len(names):
        hint = f"its classes: {', '.join(data.classes)}; each once"
        message = f"`only` names {unknown[0]!r}, which is no class" if unknown else "`only` names a class twice"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
    renamed = torch.full((len(data.classes),), -1)
    renamed[[data.classes.index(name) for name in names]] = torch.arange(len(names))
    kept = data.take(renamed[data.y] >= 0)
    return replace(kept, y=renamed[kept.y], classes=tuple(names))


def arranged(data: Data, params: ImagesParams) -> Data:
    """The classes that are asked for, in the order that is asked for."""
    return in_turns(only(data, params.only), params.balanced)


def in_turns(data: Data, wanted: bool) -> Data:
    """The classes take turns, in their order, each as long as it lasts; ids stay with their samples."""
    if not wanted:
        return data
    turn = torch.zeros_like(data.y)
    for label in range(len(data.classes)):
        turn[data.y == label] = torch.arange(int((data.y == label).sum()))
    return data.take((turn * len(data.classes) + data.y).argsort(stable=True))


def check_split(split: str, known: Sequence[str] = ("train", "test")) -> str:
    """The split if the dataset has it."""
    if split not in known:
        hint = f"its splits are {', '.join(known)}"
        raise StageFailed(f"the dataset has no split '{split}'", error_class=ErrorClass.USER, hint=hint)
    return split
