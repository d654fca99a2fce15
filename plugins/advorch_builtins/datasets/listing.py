"""Which files each dataset reads; nothing is opened here."""

from collections.abc import Sequence
from pathlib import Path

IDX_STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CIFAR10_FILES = {"train": tuple(f"data_batch_{part}.bin" for part in range(1, 6)), "test": ("test_batch.bin",)}
CIFAR100_FILES = {"train": ("train.bin",), "test": ("test.bin",)}
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".bmp", ".webp", ".tif", ".tiff"})


def packed(path: Path) -> Path:
    """The file itself, or its gzipped twin where only that is there."""
    twin = path.with_name(f"{path.name}.gz")
    return twin if twin.exists() and not path.exists() else path


def inner(root: Path, *folders: str) -> Path:
    """The folder below root that an unpacked archive makes, or root itself."""
    return next((root / folder for folder in folders if (root / folder).is_dir()), root)


def cifar10_root(root: Path) -> Path:
    """The folder that holds the batches."""
    return inner(root, "cifar-10-batches-bin")


def cifar100_root(root: Path) -> Path:
    """The folder that holds both files."""
    return inner(root, "cifar-100-binary")


def signs_root(root: Path) -> Path:
    """The folder that holds the class folders, wherever in the unpacked archive `root` points."""
    return inner(root, "Final_Training/Images", "GTSRB/Final_Training/Images", "GTSRB/Training")


def idx_files(root: Path) -> Sequence[Path]:
    """Images and labels of both splits."""
    return [packed(root / stem) for stems in IDX_STEMS.values() for stem in stems]


def cifar10_files(root: Path) -> Sequence[Path]:
    """Five training batches and a test batch."""
    return [cifar10_root(root) / name for names in CIFAR10_FILES.values() for name in names]


def cifar100_files(root: Path) -> Sequence[Path]:
    """One file a split."""
    return [cifar100_root(root) / name for names in CIFAR100_FILES.values() for name in names]


def signs_files(root: Path) -> Sequence[Path]:
    """Every image and every table, or the archive; the folder itself, to be missed by name, where there is none."""
    if root.is_file():
        return [root]
    folder = signs_root(root)
    return sorted([*folder.glob("*/*.ppm"), *folder.glob("*/GT-*.csv")]) or [folder / "00000"]


def image_files(root: Path, classes: Path | None) -> Sequence[Path]:
    """Every image below root, and the file of class names if there is one."""
    images = sorted(path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES) or [root / "train"]
    return [*images, classes] if classes else images
