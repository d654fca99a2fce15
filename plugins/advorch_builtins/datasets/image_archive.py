"""Images in a tar file, read in one pass without unpacking it."""

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
import torch

from advorch.api import expand
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog_archive import ImageArchiveParams
from advorch_builtins.datasets.image_folder import in_split
from advorch_builtins.datasets.listing import IMAGE_SUFFIXES
from advorch_builtins.datasets.pictures import read_picture
from advorch_builtins.datasets.reading import Bytes, check_split, image_data, malformed, missing

_WHERE = "a tar file with train/CLASS/IMAGE and test/CLASS/IMAGE, or with CLASS/IMAGE to have it split"
_SPLITS = ("train", "test")


class _Picture(NamedTuple):
    """One file: the folder it lies in, its name, and its pixels."""

    label: str
    name: str
    pixels: Bytes


def load(params: ImageArchiveParams, split: str) -> Data:
    """One split, its classes in turns; ids are positions in that order."""
    path, wanted = expand(params.archive), check_split(split)
    if not path.is_file():
        raise missing(path, _WHERE)
    found = list(_pictures(path, params, wanted))
    names = sorted({picture.label for picture in found})
    if not found:
        raise malformed(path, f"holds no image of the split '{split}': {_WHERE}")
    ordered = list(take_turns([_of_class(found, name) for name in names]))
    unlabelled = np.zeros(len(ordered), np.uint8)
    data = image_data(np.stack([picture.pixels for picture in ordered]), unlabelled, names, params.canvas)
    return replace(data, y=torch.tensor([names.index(picture.label) for picture in ordered]))


def take_turns(groups: Sequence[Sequence[_Picture]]) -> Iterator[_Picture]:
    """The first of each group, the second of each, and so on."""
    return (picture for picture in chain.from_iterable(zip_longest(*groups)) if picture is not None)


def _of_class(found: Iterable[_Picture], name: str) -> list[_Picture]:
    return sorted((picture for picture in found if picture.label == name), key=lambda picture: picture.name)


def _pictures(path: Path, params: ImageArchiveParams, split: str) -> Iterator[_Picture]:
    """Every image that belongs to the split; what lies elsewhere in the archive is passed over."""
    mode: Literal["RGB", "L"] = "RGB" if params.mode == "rgb" else "L"
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                if member.isfile() and _belongs(place, split, params.test_share):
                    picture = read_picture(Path(place), params.size, mode, archive.extractfile(member))
                    pixels = picture.reshape(params.size, params.size, -1).transpose(2, 0, 1)
                    yield _Picture(place.parent.name, place.name, pixels)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise malformed(path, f"cannot be read as a tar file ({error})") from error


def _belongs(place: PurePosixPath, split: str, share: float) -> bool:
    """By the folder above the class where that is a split, else by the file's own name."""
    if place.suffix.lower() not in IMAGE_SUFFIXES or len(place.parts) < 2:
        return False
    above = place.parent.parent.name
    return above == split if above in _SPLITS else in_split(Path(place), share, split)
