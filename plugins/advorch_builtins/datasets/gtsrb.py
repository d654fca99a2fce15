"""German traffic signs (Stallkamp, Schlipsing, Salmen and Igel 2011), from the training images."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from advorch.api import expand
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import SignsParams
from advorch_builtins.datasets.listing import signs_root
from advorch_builtins.datasets.netpbm import mended
from advorch_builtins.datasets.pictures import read_picture
from advorch_builtins.datasets.reading import Bytes, check_split, image_data, malformed, missing
from advorch_builtins.datasets.signs_archive import read_archive

_CLASSES = (
    "speed limit 20", "speed limit 30", "speed limit 50", "speed limit 60", "speed limit 70", "speed limit 80",
    "end of speed limit 80", "speed limit 100", "speed limit 120", "no passing", "no passing for trucks",
    "right of way at next intersection", "priority road", "yield", "stop", "no vehicles", "no trucks", "no entry",
    "general caution", "dangerous curve left", "dangerous curve right", "double curve", "bumpy road", "slippery road",
    "road narrows on the right", "road work", "traffic signals", "pedestrians", "children crossing",
    "bicycles crossing", "beware of ice", "wild animals crossing", "end of all limits", "turn right ahead",
    "turn left ahead", "ahead only", "go straight or right", "go straight or left", "keep right", "keep left",
    "roundabout", "end of no passing", "end of no passing for trucks",
)  # fmt: skip
_WHERE = "unpack the GTSRB training images (one folder a class, PPM files named TRACK_FRAME.ppm) into `root`"
_TEST_EVERY = 5


class Sign(NamedTuple):
    """One image file; frames of one track show the same physical sign."""

    path: Path
    label: int
    track: str


def load(params: SignsParams, split: str) -> Data:
    """One split; ids count the images of both splits in the order of class, track and frame."""
    root = expand(params.root)
    packed = read_archive(root) if root.is_file() else {}
    signs = list(signs_among(packed, root) if packed else find_signs(signs_root(root)))
    tracks = held_out_tracks(signs)
    wanted = check_split(split) == "test"
    ids = [index for index, sign in enumerate(signs) if ((sign.label, sign.track) in tracks) == wanted]
    images = [_pixels(signs[index].path, packed, params.size) for index in ids]
    pixels = np.array(images, np.uint8).reshape(-1, 3, params.size, params.size)
    labels = np.array([signs[index].label for index in ids], np.uint8)
    return replace(image_data(pixels, labels, _CLASSES), ids=torch.tensor(ids))


def _pixels(path: Path, packed: Mapping[Path, bytes], size: int) -> Bytes:
    content = packed[path] if packed else path.read_bytes()
    return read_picture(path, size, "RGB", mended(content)).transpose(2, 0, 1)


def signs_among(places: Iterable[Path], archive: Path) -> Iterator[Sign]:
    """The images of an archive in the order that they have when it is unpacked."""
    for place in sorted(places, key=lambda place: (int(place.parent.name), place.name)):
        check_class(archive, label := int(place.parent.name))
        check_track(archive, place.name)
        yield Sign(place, label, place.name.split("_")[0])


def check_class(where: Path, label: int) -> None:
    """Whether there is such a sign."""
    if label >= len(_CLASSES):
        raise malformed(where, f"class {label} is not below {len(_CLASSES)}")


def check_track(where: Path, name: str) -> None:
    """Whether the name says which physical sign an image shows."""
    if "_" not in name:
        raise malformed(where, f"{name} is not named TRACK_FRAME.ppm, so its track is unknown")


def find_signs(root: Path) -> Iterator[Sign]:
    """Every image below the class folders, which are named by number, with zeros in front or not."""
    folders = [path for path in root.glob("*") if path.is_dir() and path.name.isdigit()] if root.is_dir() else []
    if not folders:
        raise missing(root / "00000", _WHERE)
    for folder in sorted(folders, key=lambda path: int(path.name)):
        check_class(folder, label := int(folder.name))
        for name in listed(folder, label):
            yield Sign(folder / name, label, name.split("_")[0])


def listed(folder: Path, label: int) -> Sequence[str]:
    """The image names of one class: what its GT table says, or what lies there if it has none."""
    table = next(folder.glob("GT-*.csv"), None)
    found = {path.name for path in folder.glob("*.ppm")}
    if not (names := sorted(table_names(table, label) if table else found)):
        raise missing(folder / "00000_00000.ppm", _WHERE)
    if absent := [name for name in names if name not in found]:
        raise missing(folder / absent[0], f"{table} lists it: unpack the whole archive")
    if odd := [name for name in names if "_" not in name]:
        raise malformed(folder / odd[0], "its name is not TRACK_FRAME.ppm, so its track is unknown")
    return names


def table_names(table: Path, label: int) -> list[str]:
    """The file names in a GT table, whose class must be the folder's."""
    rows = list(csv.DictReader(table.read_text().splitlines(), delimiter=";"))
    if any(not row.get("Filename") or row.get("ClassId") != str(label) for row in rows):
        raise malformed(table, f"a row lacks its Filename or its ClassId is not {label}")
    return [row["Filename"] for row in rows]


def held_out_tracks(signs: Sequence[Sign]) -> set[tuple[int, str]]:
    """Every fifth track of a class, or the last of fewer; a class with a single track has no test images."""
    held_out = set()
    for label in {sign.label for sign in signs}:
        tracks = sorted({sign.track for sign in signs if sign.label == label})
        turn = min(_TEST_EVERY, len(tracks)) - 1
        held_out |= {(label, track) for rank, track in enumerate(tracks) if turn and rank % _TEST_EVERY == turn}
    return held_out
