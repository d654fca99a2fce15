"""Images in one archive, as they are often handed around, described."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AnyComponent, Count, Dataset, DatasetFn, Location, Params, Share, expand


class ImageArchiveParams(Params):
    """Images in a tar file, one folder a class, in `train/` and `test/` or split by us."""

    archive: Annotated[Location, Field(description="tar file, compressed or not")]
    size: Annotated[Count, Field(description="images are resized to so many pixels a side")] = 32
    mode: Literal["rgb", "grey"] = "rgb"
    test_share: Annotated[Share, Field(description="held out where there are no train/ and test/ folders")] = 0.2
    canvas: Annotated[int, Field(ge=0, description="black pixels around every image, for what may turn or move")] = 0


def _image_archive() -> DatasetFn[ImageArchiveParams]:
    from advorch_builtins.datasets.image_archive import load

    return load


IMAGE_ARCHIVE = Dataset(
    name="image-archive",
    summary="images in a tar file, one folder a class; classes take turns, so that every part of a split has all",
    params=ImageArchiveParams,
    load=_image_archive,
    files=lambda params: [expand(params.archive)],
)

COMPONENTS: tuple[AnyComponent, ...] = (IMAGE_ARCHIVE,)
