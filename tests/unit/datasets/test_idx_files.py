"""MNIST and its relatives: the real files where there are any, and files that lie."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from advorch.errors import ErrorClass, StageFailed
from advorch_builtins.datasets import catalog, fashion_mnist, mnist
from advorch_builtins.datasets.catalog import ImagesParams


def idx(values: np.ndarray) -> bytes:
    """A whole IDX file."""
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six training images and labels, the images gzipped."""
    pixels = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.array([3, 1, 4, 1, 5, 9], np.uint8)))
    return tmp_path


def test_plain_and_gzipped_files_are_read_in_order(folder: Path) -> None:
    data = mnist.load(ImagesParams(root=str(folder)), "train")
    assert data.y.tolist() == [3, 1, 4, 1, 5, 9]
    assert data.ids.tolist() == list(range(6))
    assert data.x[5, 0].tolist() == [
        [pytest.approx(20 / 255), pytest.approx(21 / 255)],
        [pytest.approx(22 / 255), pytest.approx(23 / 255)],
    ]


def test_files_name_what_is_read(folder: Path) -> None:
    names = [path.name for path in catalog.MNIST.files(ImagesParams(root=str(folder)))]
    assert names[:2] == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"]
    assert len(names) == 4


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("train-labels-idx1-ubyte", b"\0\0\x08\x03\0\0\0\x06" + bytes(6), "magic number"),
        ("train-labels-idx1-ubyte", b"", "magic number"),
        ("train-labels-idx1-ubyte", idx(np.zeros(6, np.uint8))[:-1], "holds 5 values where its header says 6"),
        ("train-labels-idx1-ubyte", idx(np.zeros(5, np.uint8)), "5 labels for the 6 images"),
        ("train-labels-idx1-ubyte", idx(np.full(6, 10, np.uint8)), "label 10 is not below 10"),
        ("train-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((6, 2, 2), np.uint8)))[:-9], "not a whole gzip file"),
    ],
)
def test_a_malformed_file_is_named_with_its_fault(folder: Path, name: str, content: bytes, fault: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(StageFailed, match=fault) as caught:
        mnist.load(ImagesParams(root=str(folder)), "train")
    assert caught.value.error_class is ErrorClass.USER
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_says_where_it_comes_from(folder: Path) -> None:
    with pytest.raises(StageFailed, match="t10k-images-idx3-ubyte is missing") as caught:
        mnist.load(ImagesParams(root=str(folder)), "test")
    assert "IDX files of the MNIST database" in caught.value.hint


@pytest.mark.data
def test_mnist_is_mnist(data_folder: Path) -> None:
    params = ImagesParams(root=str(data_folder / "mnist"))
    train, test = mnist.load(params, "train"), mnist.load(params, "test")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert float(train.x.mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(train.x.std()) == pytest.approx(0.3081, abs=5e-5)
    assert train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.data
def test_fashion_mnist_is_fashion_mnist(data_folder: Path) -> None:
    train = fashion_mnist.load(ImagesParams(root=str(data_folder / "fashion-mnist")), "train")
    assert float(train.x.mean()) == pytest.approx(0.2860, abs=5e-5)
    assert train.y.bincount().tolist() == [6000] * 10
    assert train.classes[train.y[0]] == "ankle boot"
