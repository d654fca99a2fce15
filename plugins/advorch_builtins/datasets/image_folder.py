"""Any images in class folders."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from advorch.api import Seeds, expand
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import ImageFolderParams
from advorch_builtins.datasets.listing import IMAGE_SUFFIXES
from advorch_builtins.datasets.pictures import read_pictures
from advorch_builtins.datasets.reading import check_split, malformed, missing, read_bytes

_NAMES = Seeds(0)
_WHERE = "put images into root/train/CLASS/ and root/test/CLASS/, or into root/CLASS/ to have them split"


def load(params: ImageFolderParams, split: str) -> Data:
    """One split; ids are positions among the sorted files of the split's folder."""
    root = expand(params.root)
    divided = (root / "train").is_dir() or (root / "test").is_dir()
    folder = root / check_split(split) if divided else root
    names = class_names(params, root / "train" if divided else root)
    files = list(find_images(folder, names))
    ids = [index for index, (path, _) in enumerate(files) if divided or in_split(path, params.test_share, split)]
    if not ids:
        raise missing(folder / "CLASS" / "*.png", _WHERE)
    return assemble(files, ids, names, params)


def assemble(
    files: Sequence[tuple[Path, int]], ids: Sequence[int], names: Sequence[str], params: ImageFolderParams
) -> Data:
    """The chosen files as samples."""
    mode: Literal["RGB", "L"] = "RGB" if params.mode == "rgb" else "L"
    pixels = read_pictures([files[index][0] for index in ids], params.size, mode)
    y = torch.from_numpy(np.array([files[index][1] for index in ids], np.int64))
    x = torch.from_numpy(pixels).float().div_(255)
    return Data(x=x, y=y, ids=torch.tensor(ids), classes=tuple(names), box=(0.0, 1.0))


def class_names(params: ImageFolderParams, folder: Path) -> list[str]:
    """The lines of the classes file, or the class folders of training, sorted."""
    if params.classes:
        text = read_bytes(expand(params.classes), "a text file with one class name a line").decode()
        return [line.strip() for line in text.splitlines() if line.strip()]
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    if not names:
        raise missing(folder / "CLASS", _WHERE)
    return names


def find_images(folder: Path, names: Sequence[str]) -> Iterator[tuple[Path, int]]:
    """Every image with the label of the class folder it lies in."""
    if not folder.is_dir():
        raise missing(folder, _WHERE)
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        if place.name not in names:
            raise malformed(place, "is no known class: training, or the classes file, does not name it")
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                yield path, names.index(place.name)


def in_split(path: Path, share: float, split: str) -> bool:
    """Whether a file belongs to the split: decided by its own name, whatever else lies beside it."""
    held_out = _NAMES.stream(f"{path.parent.name}/{path.name}") < share * 2**63
    return held_out == (split == "test")
