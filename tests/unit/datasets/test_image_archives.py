"""Images in a tar file."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from advorch.errors import StageFailed
from advorch_builtins.datasets.catalog_archive import IMAGE_ARCHIVE, ImageArchiveParams
from advorch_builtins.datasets.image_archive import load

DIVIDED = ["a/train/cat/2.png", "a/train/cat/1.png", "a/train/dog/9.png", "a/test/dog/3.png", "a/README.md"]


def pack(path: Path, names: Iterable[str], shade: int = 0) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            buffer = io.BytesIO()
            Image.new("RGB", (6, 4), (shade + int(Path(name).stem),) * 3 if name.endswith("png") else 0).save(
                buffer, "png"
            )
            member = tarfile.TarInfo(name)
            member.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(member, buffer)
    return path


def params(path: Path, **values: object) -> ImageArchiveParams:
    return ImageArchiveParams.parse({"archive": str(path), "size": 3, **values})


def test_classes_take_turns_whatever_the_order_in_the_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "images.tar.gz", DIVIDED)
    train, test = load(params(path), "train"), load(params(path, mode="grey"), "test")
    assert train.classes == ("cat", "dog")
    assert train.y.tolist() == [0, 1, 0]
    assert (255 * train.x[:, 0, 0, 0]).round().tolist() == [1, 9, 2]
    assert test.signature.shape == (1, 3, 3)
    assert test.classes == train.classes
    assert test.y.tolist() == [1]  # dogs keep their number where there is no cat
    assert train.ids.tolist() == [0, 1, 2]


def test_an_undivided_archive_is_split_by_name(tmp_path: Path) -> None:
    path = pack(tmp_path / "images.tar", [f"{label}/{index}.png" for label in "ab" for index in range(40)])
    train, test = load(params(path), "train"), load(params(path), "test")
    assert len(train) + len(test) == 80
    assert 4 <= len(test) <= 30


def test_what_is_missing_or_damaged_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match="is missing"):
        load(params(tmp_path / "none.tar"), "train")
    (tmp_path / "bad.tar").write_bytes(b"no tar file")
    with pytest.raises(StageFailed, match="cannot be read as a tar file"):
        load(params(tmp_path / "bad.tar"), "train")
    with pytest.raises(StageFailed, match="holds no image of the split 'test'"):
        load(params(pack(tmp_path / "t.tar", DIVIDED[:3])), "test")


def test_the_archive_itself_is_what_the_key_is_made_of(tmp_path: Path) -> None:
    assert list(IMAGE_ARCHIVE.files(params(tmp_path / "x.tar"))) == [tmp_path / "x.tar"]
