"""Penalties on the slope of a critic at single samples, to be added to its loss: one backward serves both."""

from collections.abc import Callable

import torch
from torch import Tensor, autograd, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversary.draws import Draws

_ROOT = 1e-12  # inside the root, whose own slope at 0 is infinite

_BATCHWISE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def r1_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """||grad_x s(x)||^2 of every sample (Mescheder et al. 2018, arXiv:1801.04406); `x` must take gradients.

    On a linear critic s(x) = w.x + b it is ||w||^2, whatever the batch.
    """
    return _squared_slopes(logits, x)


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws, target: float = 1.0
) -> Tensor:
    """(||grad_x f(x)|| / target - 1)^2 of every sample, at one random place between it and a fake (Gulrajani 2017).

    On a linear critic f(x) = w.x + b and target 1 it is (||w|| - 1)^2, whatever the batch.
    """
    epsilon = draws.uniform(len(real)).view(-1, *[1] * (real.dim() - 1)).to(real.dtype)
    between = torch.lerp(fake.detach(), real.detach(), epsilon).requires_grad_()
    slopes = (_squared_slopes(score(between), between) + _ROOT).sqrt()
    return (slopes / target - 1).square()


def _squared_slopes(scores: Tensor, x: Tensor) -> Tensor:
    (gradient,) = autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1)


def refuse_batch_norm(critic: nn.Module) -> None:
    """A slope at one sample has no meaning where its score depends on its batch."""
    found = [name for name, part in critic.named_modules() if isinstance(part, _BATCHWISE)]
    if found:
        raise StageFailed(
            f"a penalised critic must judge each sample by itself, and {found[0]} normalises over the batch",
            error_class=ErrorClass.USER,
            hint="use layer normalisation, or none",
        )
