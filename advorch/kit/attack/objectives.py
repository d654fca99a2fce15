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
    """-log softmax at the label."""
    return functional.cross_entropy(logits, y, reduction="none")


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """The best other logit less the label's: above zero where the model is wrong; two classes will do."""
    at_label = logits.gather(1, y[:, None]).squeeze(1)
    others = logits.scatter(1, y[:, None], -torch.inf)
    return others.amax(1) - at_label
