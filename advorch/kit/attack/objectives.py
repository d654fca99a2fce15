"""What an attack raises: one number a sample, larger where the model is more wrong about `y`.

A targeted victim turns the sign, so that every attack climbs.
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

Objective: TypeAlias = Callable[[Tensor, Tensor], Tensor]

_FAINT: Final = math.exp(-60)  # no sample pulls less than this, however sure the model is
_DEEP: Final = 80.0  # log-odds at which float32 runs out of small numbers


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """-log softmax at the label, as softplus of the log-odds against it.

    The same function as everybody's, but its gradient lives on where a confident softmax rounds to one: in float32 the
    usual form loses the label's part at a margin of 17 and everything at 104, and with it the way out of confident
    samples. Where it would be lost the gradient is that of logits divided by what brings them back, and never shorter
    than 1e-26: the same way at any scale. The value is right to 1e-34, and still ranks points where all else is gone.
    """
    loss: Tensor = _CrossEntropy.apply(logits, y)  # type: ignore[no-untyped-call]
    return loss


def log_odds(logits: Tensor, y: Tensor) -> Tensor:
    """Log of the others' probability over the label's: rises as the cross-entropy does, and is never flat."""
    label, others = _split(logits, y)
    return others.logsumexp(1) - label


class _CrossEntropy(torch.autograd.Function):
    """log(1 + e^u) of the log-odds u, with a slope and an order where the numbers have neither, in few operations."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, y: Tensor) -> Tensor:
        label = y[:, None]
        others = logits.scatter(1, label, -torch.inf)
        u = others.logsumexp(1) - logits.gather(1, label).squeeze(1)
        ctx.save_for_backward(u, others, label)
        rest = -math.exp(-_DEEP) * _DEEP / u.clamp(max=-_DEEP)  # below e^u until u is as deep as that
        return torch.maximum(functional.softplus(u, threshold=40), rest)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        u, others, label = ctx.saved_tensors
        certain = -math.log(torch.finfo(u.dtype).eps)  # log-odds at which a softmax rounds to one
        heat = (u / -certain).clamp(min=1)[:, None]
        weight = slopes[0] * u.sigmoid().clamp(min=_FAINT)
        return weight[:, None] * (others / heat).softmax(1).scatter(1, label, -1), None


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """The best other logit less the label's: above zero where the model is wrong; two classes will do."""
    label, others = _split(logits, y)
    return others.amax(1) - label


def _split(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The label's logit, and all logits with the label's at minus infinity."""
    chosen = y[:, None] == torch.arange(logits.shape[1], device=logits.device)
    return torch.where(chosen, logits, 0).sum(1), logits.masked_fill(chosen, -torch.inf)
