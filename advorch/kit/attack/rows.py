"""Arithmetic by sample: whatever a sample's shape, one number each."""

import torch
from torch import Tensor


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """One number a sample, shaped so that it broadcasts over the samples of `like`."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def of_some(values: Tensor, index: Tensor) -> Tensor:
    """What belongs to some of the samples; a sample axis of length one belongs to all."""
    return values.to(index.device)[index] if values.dim() > 0 and len(values) > 1 else values


def total(values: Tensor) -> Tensor:
    """The sum over each sample, in double precision."""
    return values.flatten(1).sum(1, dtype=torch.float64)


def euclidean(values: Tensor) -> Tensor:
    """The l2 norm of each sample, in double precision."""
    length: Tensor = torch.linalg.vector_norm(values.flatten(1), dim=1, dtype=torch.float64)
    return length


def largest(values: Tensor) -> Tensor:
    """The largest magnitude in each sample."""
    return values.flatten(1).abs().amax(1)


def size(values: Tensor) -> int:
    """How many numbers a sample has."""
    return values[0].numel() if len(values) else int(torch.Size(values.shape[1:]).numel())
