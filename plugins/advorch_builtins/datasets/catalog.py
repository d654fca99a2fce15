"""Datasets by name: parameters and files are told here, nothing heavy is imported."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import (
    Components,
    Count,
    Dataset,
    DatasetFn,
    Location,
    NonNegative,
    Params,
    Positive,
    Share,
    expand,
    hookimpl,
)
from advorch_builtins.datasets.listing import cifar10_files, cifar100_files, idx_files, image_files, signs_files

Size = Annotated[int, Field(ge=1, description="images are resized to so many pixels a side")]


class BalancedParams(Params):
    """In which order samples stand."""

    balanced: Annotated[
        bool, Field(description="let the classes take turns, so that a slice has as many of each: `train[:100]`")
    ] = False


class DigitsParams(BalancedParams):
    """The images come with scikit-learn."""


class PlaneParams(BalancedParams):
    """Points of two classes in the plane, or on a plane laid at random into more dimensions."""

    n: Annotated[Count, Field(description="training points")] = 1000
    n_test: Annotated[Count, Field(description="test points")] = 1000
    noise: Annotated[NonNegative, Field(description="standard deviation added to each coordinate")] = 0.1
    dimensions: Annotated[int, Field(ge=2, description="of the space that the plane is laid into")] = 2
    seed: int = 0


class MoonsParams(PlaneParams):
    """Two half circles, one about the end of the other."""

    centred: Annotated[bool, Field(description="put the middle of both at the origin")] = False


class CirclesParams(PlaneParams):
    """Two circles about one centre."""

    factor: Annotated[float, Field(gt=0, lt=1, description="inner radius over outer radius")] = 0.5


class RingParams(Params):
    """A mixture of Gaussians whose centres stand on a circle; the class of a point is its mode."""

    modes: Count = 8
    radius: Positive = 2.0
    std: Positive = 0.02
    n: Annotated[Count, Field(description="training points")] = 10_000
    n_test: Annotated[Count, Field(description="test points")] = 2_000
    seed: int = 0


class FolderParams(Params):
    """Files in a folder."""

    root: Annotated[Location, Field(description="folder with the files, as its authors distribute them")]


class ImagesParams(FolderParams, BalancedParams):
    """Images that come with their benchmark."""

    canvas: Annotated[int, Field(ge=0, description="black pixels around every image, for what may turn or move")] = 0
    only: Annotated[
        tuple[str, ...], Field(description="classes that are kept, by name and in this order; default: all")
    ] = ()


class SignsParams(FolderParams):
    """Traffic signs: one folder a class, PPM images named TRACK_FRAME; `root` may be a tar file of them."""

    size: Size = 32


class ImageFolderParams(FolderParams):
    """Any images, one subfolder a class, in `train/` and `test/` or split by us."""

    size: Size = 224
    mode: Literal["rgb", "grey"] = "rgb"
    test_share: Annotated[Share, Field(description="held out where there are no train/ and test/ folders")] = 0.2
    classes: Annotated[
        Location | None,
        Field(description="file of class names, one a line; a label is its line. Default: the folders, sorted"),
    ] = None


def _digits() -> DatasetFn[DigitsParams]:
    from advorch_builtins.datasets.digits import load

    return load


def _moons() -> DatasetFn[MoonsParams]:
    from advorch_builtins.datasets.moons import load

    return load


def _circles() -> DatasetFn[CirclesParams]:
    from advorch_builtins.datasets.circles import load

    return load


def _ring() -> DatasetFn[RingParams]:
    from advorch_builtins.datasets.ring import load

    return load


def _mnist() -> DatasetFn[ImagesParams]:
    from advorch_builtins.datasets.mnist import load

    return load


def _fashion_mnist() -> DatasetFn[ImagesParams]:
    from advorch_builtins.datasets.fashion_mnist import load

    return load


def _cifar10() -> DatasetFn[ImagesParams]:
    from advorch_builtins.datasets.cifar10 import load

    return load


def _cifar100() -> DatasetFn[ImagesParams]:
    from advorch_builtins.datasets.cifar100 import load

    return load


def _gtsrb() -> DatasetFn[SignsParams]:
    from advorch_builtins.datasets.gtsrb import load

    return load


def _image_folder() -> DatasetFn[ImageFolderParams]:
    from advorch_builtins.datasets.image_folder import load

    return load


DIGITS = Dataset(
    name="digits",
    summary="1,797 handwritten digits of 8x8 pixels, bundled with scikit-learn; every fifth is test",
    params=DigitsParams,
    load=_digits,
)
MOONS = Dataset(
    name="moons",
    summary="two interleaving half circles, optionally embedded in many dimensions",
    params=MoonsParams,
    load=_moons,
    box=None,
)
CIRCLES = Dataset(
    name="circles",
    summary="two concentric circles, optionally embedded in many dimensions",
    params=CirclesParams,
    load=_circles,
    box=None,
)
RING = Dataset(
    name="ring",
    summary="Gaussians on a circle: the picture of mode collapse",
    params=RingParams,
    load=_ring,
    box=None,
)
MNIST = Dataset(
    name="mnist",
    summary="70,000 handwritten digits of 28x28 pixels (IDX files, gzipped or not)",
    params=ImagesParams,
    load=_mnist,
    files=lambda params: idx_files(expand(params.root)),
)
FASHION_MNIST = Dataset(
    name="fashion-mnist",
    summary="70,000 articles of clothing of 28x28 pixels (IDX files, gzipped or not)",
    params=ImagesParams,
    load=_fashion_mnist,
    files=lambda params: idx_files(expand(params.root)),
)
CIFAR10 = Dataset(
    name="cifar10",
    summary="60,000 colour images of 32x32 pixels in 10 classes (binary version)",
    params=ImagesParams,
    load=_cifar10,
    files=lambda params: cifar10_files(expand(params.root)),
)
CIFAR100 = Dataset(
    name="cifar100",
    summary="60,000 colour images of 32x32 pixels in 100 classes (binary version)",
    params=ImagesParams,
    load=_cifar100,
    files=lambda params: cifar100_files(expand(params.root)),
)
GTSRB = Dataset(
    name="gtsrb",
    summary="German traffic signs in 43 classes; frames of one physical sign stay in one split",
    params=SignsParams,
    load=_gtsrb,
    files=lambda params: signs_files(expand(params.root)),
)
IMAGE_FOLDER = Dataset(
    name="image-folder",
    summary="your own images, one subfolder a class",
    params=ImageFolderParams,
    load=_image_folder,
    files=lambda params: image_files(expand(params.root), expand(params.classes) if params.classes else None),
)


@hookimpl
def advorch_components() -> Components:
    """Every dataset that comes with advorch."""
    from advorch_builtins.datasets import catalog_archive, catalog_mixtures, catalog_sentences

    return (
        DIGITS, MOONS, CIRCLES, RING, MNIST, FASHION_MNIST, CIFAR10, CIFAR100, GTSRB, IMAGE_FOLDER,
        *catalog_mixtures.COMPONENTS, *catalog_sentences.COMPONENTS, *catalog_archive.COMPONENTS,
    )  # fmt: skip
