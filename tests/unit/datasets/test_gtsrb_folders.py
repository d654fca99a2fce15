"""Traffic signs: a physical sign is in one split only."""

import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from advorch.errors import StageFailed
from advorch_builtins.datasets import catalog, gtsrb
from advorch_builtins.datasets.catalog import SignsParams


def draw(path: Path, colour: tuple[int, int, int] = (10, 20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), colour).save(path)


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Class 0 with twelve tracks of two frames, class 14 with three tracks, class 2 with one."""
    for label, tracks in ((0, 12), (14, 3), (2, 1)):
        for track in range(tracks):
            for frame in (14, 29):
                draw(tmp_path / f"{label:05d}" / f"{track:05d}_{frame:05d}.ppm", (label, track, frame))
    return tmp_path


def test_splits_share_no_track_and_lose_no_image(signs: Path) -> None:
    params = SignsParams(root=str(signs), size=4)
    train, test = gtsrb.load(params, "train"), gtsrb.load(params, "test")
    assert sorted([*train.ids.tolist(), *test.ids.tolist()]) == list(range(32))
    tracks = [
        {(int(y), round(float(x[1, 0, 0]) * 255)) for x, y in zip(part.x, part.y, strict=True)}
        for part in (train, test)
    ]
    assert not tracks[0] & tracks[1]
    assert tracks[1] == {(0, 4), (0, 9), (14, 2)}


def test_pictures_are_resized_and_labelled(signs: Path) -> None:
    data = gtsrb.load(SignsParams(root=str(signs), size=5), "test")
    assert data.x.shape == (6, 3, 5, 5)
    assert data.classes[data.y[-1]] == "stop"
    assert len(data.classes) == 43


def test_a_table_decides_what_is_listed(signs: Path) -> None:
    table = signs / "00002" / "GT-00002.csv"
    table.write_text("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000_00014.ppm;9;7;0;0;8;6;2\n")
    found = list(gtsrb.find_signs(signs))
    assert [sign.path.name for sign in found if sign.label == 2] == ["00000_00014.ppm"]
    assert table in catalog.GTSRB.files(SignsParams(root=str(signs)))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("00000_00014.ppm;9;7;0;0;8;6;3", "ClassId is not 2"),
        ("00009_00000.ppm;9;7;0;0;8;6;2", "is missing"),
        ("00000_00014.ppm", "ClassId"),
    ],
)
def test_a_table_that_lies_is_caught(signs: Path, row: str, fault: str) -> None:
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"
    (signs / "00002" / "GT-00002.csv").write_text(f"{header}\n{row}\n")
    with pytest.raises(StageFailed, match=fault):
        gtsrb.load(SignsParams(root=str(signs)), "train")


def test_faults_of_folders_are_one_line(tmp_path: Path) -> None:
    params = SignsParams(root=str(tmp_path))
    with pytest.raises(StageFailed, match="is missing"):
        gtsrb.load(params, "train")
    draw(tmp_path / "43" / "00000_00000.ppm")
    with pytest.raises(StageFailed, match="class 43 is not below 43"):
        gtsrb.load(params, "train")


def test_a_broken_picture_is_named(signs: Path) -> None:
    (signs / "00000" / "00000_00014.ppm").write_bytes(b"P6\n9 7\n255\nshort")
    with pytest.raises(StageFailed, match=r"00000_00014\.ppm: cannot be read as an image"):
        gtsrb.load(SignsParams(root=str(signs), size=4), "train")


def test_a_picture_without_a_track_is_named(signs: Path) -> None:
    draw(signs / "00000" / "odd.ppm")
    with pytest.raises(StageFailed, match=r"odd\.ppm: its name is not TRACK_FRAME"):
        gtsrb.load(SignsParams(root=str(signs), size=4), "train")


@pytest.mark.data
def test_the_real_signs_are_divided_by_track(data_folder: Path, tmp_path: Path) -> None:
    with tarfile.open(data_folder / "gtsrb-small.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    params = SignsParams(root=str(tmp_path / "gtsrb-small"), size=8)
    found = list(gtsrb.find_signs(tmp_path / "gtsrb-small"))
    train, test = gtsrb.load(params, "train"), gtsrb.load(params, "test")
    assert len(train) + len(test) == len(found)
    sides = [{(found[index].label, found[index].track) for index in part.ids.tolist()} for part in (train, test)]
    assert not sides[0] & sides[1]
    assert 0.1 < len(test) / len(found) < 0.3
    assert set(train.y.tolist()) == set(range(43))


def test_an_archive_is_read_as_what_is_unpacked_from_it(tmp_path: Path) -> None:
    from PIL import Image

    for label, name in ((3, "00001_00000"), (14, "00000_00001"), (14, "00002_00000"), (0, "00000_00000")):
        folder = tmp_path / "signs" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (label, 20, 30)).save(folder / f"{name}.ppm")
    archive = tmp_path / "signs.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "signs", "any/signs")
    for split in ("train", "test"):
        folder, packed = (
            gtsrb.load(SignsParams(root=str(root), size=4), split) for root in (tmp_path / "signs", archive)
        )
        assert torch.equal(folder.x, packed.x)
        assert torch.equal(folder.ids, packed.ids)
        assert torch.equal(folder.y, packed.y)
    assert list(catalog.GTSRB.files(SignsParams(root=str(archive)))) == [archive]


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    archive = tmp_path / "signs.tar"
    archive.write_bytes(b"no tar")
    with pytest.raises(StageFailed, match="tar file"):
        gtsrb.load(SignsParams(root=str(archive), size=4), "train")
    with tarfile.open(archive, "w") as tar:
        tar.add(__file__, "3/readme.txt")
    with pytest.raises(StageFailed, match="no PPM image"):
        gtsrb.load(SignsParams(root=str(archive), size=4), "train")
