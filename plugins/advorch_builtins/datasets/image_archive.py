"""Images in a tar file, read in one pass without unpacking it."""

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath
from typing import IO, Literal, NamedTuple

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
    found, names = _read(path, params, wanted)
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


def _read(path: Path, params: ImageArchiveParams, split: str) -> tuple[list[_Picture], list[str]]:
    """The images of a split, and the classes of both: a class keeps its number where a split has none of it."""
    found, names = [], set()
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                if not member.isfile() or not _is_image(place):
                    continue
                names.add(place.parent.name)
                if _belongs(place, split, params.test_share):
                    found.append(_picture(place, archive.extractfile(member), params))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise malformed(path, f"cannot be read as a tar file ({error})") from error
    return found, sorted(names)


def _picture(place: PurePosixPath, file: IO[bytes] | None, params: ImageArchiveParams) -> _Picture:
    mode: Literal["RGB", "L"] = "RGB" if params.mode == "rgb" else "L"
    picture = read_picture(Path(place), params.size, mode, file)
    pixels = picture.reshape(params.size, params.size, -1).transpose(2, 0, 1)
    return _Picture(place.parent.name, place.name, pixels)


def _is_image(place: PurePosixPath) -> bool:
    return place.suffix.lower() in IMAGE_SUFFIXES and len(place.parts) > 1


def _belongs(place: PurePosixPath, split: str, share: float) -> bool:
    """By the folder above the class where that is a split, else by the file's own name."""
    above = place.parent.parent.name
    return above == split if above in _SPLITS else in_split(Path(place), share, split)
