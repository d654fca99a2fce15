"""What an attack raises: one number a sample, larger where the model is more wrong about `y`.

A targeted victim turns the sign, so that every attack climbs.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Objective: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """-log softmax at the label, as softplus of the others' log-sum-exp less the label's logit.

    The same function as everybody's, but its gradient lives on where a confident softmax rounds to one: in float32 the
    usual form loses the label's part at a margin of 17, and with it the way out of many confident samples.
    """
    label, others = _split(logits, y)
    return functional.softplus(others.logsumexp(1) - label, threshold=40)


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """The best other logit less the label's: above zero where the model is wrong; two classes will do."""
    label, others = _split(logits, y)
    return others.amax(1) - label


def _split(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The label's logit, and all logits with the label's at minus infinity."""
    chosen = y[:, None] == torch.arange(logits.shape[1], device=logits.device)
    return torch.where(chosen, logits, 0).sum(1), logits.masked_fill(chosen, -torch.inf)
