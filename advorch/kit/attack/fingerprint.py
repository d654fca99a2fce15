"""Whether a point is one that was seen before, to the bit."""

import torch
from torch import Tensor

_ODD = -7046029254386353131  # 2^64 over the golden ratio: spreads the bits of a state


def fingerprint(values: Tensor) -> Tensor:
    """64 bits of all the bits of each sample, whose places matter."""
    kind = torch.int64 if values.dtype == torch.float64 else torch.int32
    words = (values if values.element_size() > 2 else values.float()).contiguous().view(kind).flatten(1).long()
    places = torch.arange(1, words.shape[1] + 1, device=words.device) * _ODD
    mixed = (words + places) * _ODD
    return ((mixed ^ (mixed >> 29)) * _ODD).sum(1)
