"""The legal range of values as tensors."""

import torch
from torch import Tensor

from advorch.errors import ErrorClass, StageFailed
from advorch.threat import Box


def ends_of(box: Box, sample: tuple[int, ...], like: Tensor) -> tuple[Tensor, Tensor]:
    """The ends, of a shape that broadcasts over samples: one number for all, or one a channel, the first axis."""
    low, high = (torch.as_tensor(end, dtype=like.dtype, device=like.device) for end in box)
    return _by_channel(low, sample), _by_channel(high, sample)


def into_box(z: Tensor, box: Box | None, sample: tuple[int, ...]) -> Tensor:
    """Samples, with any axes before theirs, brought into the box, where there is one."""
    return z if box is None else z.clamp(*ends_of(box, sample, z))


def _by_channel(end: Tensor, sample: tuple[int, ...]) -> Tensor:
    if not end.dim():
        return end
    if not sample or len(end) != sample[0]:
        message = f"the box has ends for {len(end)} channels, and samples are of shape {sample}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="give one number, or one a channel")
    return end.reshape(-1, *[1] * (len(sample) - 1))
