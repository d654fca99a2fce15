"""Light on a picture, as contrast, brightness and gamma of each image, and noise of the camera that takes it."""

from torch import Tensor

from advorch.kit.attack.rows import per_sample

_DARKEST = 1e-6  # the slope of a root has no end at zero


def lit(images: Tensor, brightness: Tensor, contrast: Tensor, gamma: Tensor) -> Tensor:
    """`(value^gamma - 1/2) contrast + 1/2 + brightness`, within [0, 1]; nothing changes at 0, 1, 1."""
    # A straight line below the darkest value: black keeps a slope, without which nothing would ever leave it.
    bent = images * images.clamp(min=_DARKEST).pow(per_sample(gamma, images) - 1)
    return ((bent - 0.5) * per_sample(contrast, images) + 0.5 + per_sample(brightness, images)).clamp(0, 1)
