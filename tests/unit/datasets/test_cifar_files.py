"""The binary version of CIFAR, in small."""

from pathlib import Path

import numpy as np
import pytest

from advorch.errors import StageFailed
from advorch_builtins.datasets import catalog, cifar10, cifar100
from advorch_builtins.datasets.catalog import ImagesParams


def rows(labels: list[list[int]], shade: int) -> bytes:
    """Rows whose red, green and blue planes are `shade`, 2 and 3."""
    planes = np.repeat(np.array([shade, 2, 3], np.uint8), 1024)
    return b"".join(bytes(label) + planes.tobytes() for label in labels)


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for part in range(1, 6):
        (folder / f"data_batch_{part}.bin").write_bytes(rows([[part], [part + 1]], shade=part))
    (folder / "test_batch.bin").write_bytes(rows([[9]], shade=51))
    return tmp_path


def test_cifar10_reads_its_batches_in_order(ten: Path) -> None:
    train = cifar10.load(ImagesParams(root=str(ten)), "train")
    assert train.y.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert train.signature.shape == (3, 32, 32)
    assert train.x[4, :, 0, 0].mul(255).round().tolist() == [3, 2, 3]
    test = cifar10.load(ImagesParams(root=str(ten / "cifar-10-batches-bin")), "test")
    assert test.classes[test.y[0]] == "truck"
    assert float(test.x[0, 0, 0, 0]) == pytest.approx(0.2)


def test_a_canvas_is_black_and_the_image_is_in_its_middle(ten: Path) -> None:
    plain, framed = (cifar10.load(ImagesParams(root=str(ten), canvas=border), "train") for border in (0, 3))
    assert framed.signature.shape == (3, 38, 38)
    assert framed.x[..., 3:-3, 3:-3].equal(plain.x)
    assert float(framed.x.sum()) == pytest.approx(float(plain.x.sum()), rel=1e-5)
    assert framed.ids.equal(plain.ids)


def test_cifar10_lists_its_six_files(ten: Path) -> None:
    files = catalog.CIFAR10.files(ImagesParams(root=str(ten)))
    assert len(files) == 6
    assert all(path.is_file() for path in files)


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(rows([[11, 98], [0, 0]], shade=1))
    train = cifar100.load(ImagesParams(root=str(tmp_path)), "train")
    assert [train.classes[label] for label in train.y] == ["woman", "apple"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [(rows([[1]], 0)[:-1], "whole number of rows"), (b"", "whole number of rows"), (rows([[10]], 0), "label 10")],
)
def test_a_malformed_batch_is_named_with_its_fault(ten: Path, content: bytes, fault: str) -> None:
    (ten / "cifar-10-batches-bin" / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(StageFailed, match=f"data_batch_3.bin: .*{fault}"):
        cifar10.load(ImagesParams(root=str(ten)), "train")


def test_a_missing_batch_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"data_batch_1.bin is missing") as caught:
        cifar10.load(ImagesParams(root=str(tmp_path)), "train")
    assert "binary version of CIFAR-10" in caught.value.hint
