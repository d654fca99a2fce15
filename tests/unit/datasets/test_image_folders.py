"""A user's own images."""

from pathlib import Path

import pytest
from PIL import Image

from advorch.errors import StageFailed
from advorch_builtins.datasets import catalog, image_folder
from advorch_builtins.datasets.catalog import ImageFolderParams


def draw(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (shade, shade, shade)).save(path)


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    for name in ("train/cat/a.png", "train/dog/b.png", "train/dog/c.png", "test/dog/d.png"):
        draw(tmp_path / name, shade=255 if "dog" in name else 0)
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    return tmp_path


def test_given_splits_are_kept(divided: Path) -> None:
    params = ImageFolderParams(root=str(divided), size=3)
    train, test = image_folder.load(params, "train"), image_folder.load(params, "test")
    assert train.classes == test.classes == ("cat", "dog")
    assert (train.y.tolist(), test.y.tolist()) == ([0, 1, 1], [1])
    assert train.x.mean((1, 2, 3)).tolist() == [0, 1, 1]
    assert train.signature.shape == (3, 3, 3)


def test_grey_images_have_one_channel(divided: Path) -> None:
    data = image_folder.load(ImageFolderParams(root=str(divided), size=2, mode="grey"), "test")
    assert data.signature.shape == (1, 2, 2)


def test_an_undivided_folder_is_split_by_name_alone(tmp_path: Path) -> None:
    for index in range(200):
        draw(tmp_path / "one" / f"{index}.png")
    params = ImageFolderParams(root=str(tmp_path), size=1)
    train, test = image_folder.load(params, "train"), image_folder.load(params, "test")
    assert sorted([*train.ids.tolist(), *test.ids.tolist()]) == list(range(200))
    assert 20 <= len(test) <= 60
    (tmp_path / "one" / "7.png").unlink()
    assert len(image_folder.load(params, "train")) + len(image_folder.load(params, "test")) == 199
    assert abs(len(image_folder.load(params, "test")) - len(test)) <= 1


def test_a_classes_file_gives_labels(divided: Path) -> None:
    names = divided / "names.txt"
    names.write_text("bird\ndog\n\ncat\n")
    params = ImageFolderParams(root=str(divided), size=1, classes=str(names))
    data = image_folder.load(params, "train")
    assert data.classes == ("bird", "dog", "cat")
    assert data.y.tolist() == [2, 1, 1]
    assert names in catalog.IMAGE_FOLDER.files(params)


def test_unknown_classes_and_missing_folders_are_one_line(divided: Path, tmp_path: Path) -> None:
    draw(divided / "test/horse/e.png")
    with pytest.raises(StageFailed, match="horse: is no known class"):
        image_folder.load(ImageFolderParams(root=str(divided), size=1), "test")
    with pytest.raises(StageFailed, match="is missing"):
        image_folder.load(ImageFolderParams(root=str(tmp_path / "nowhere"), size=1), "train")
