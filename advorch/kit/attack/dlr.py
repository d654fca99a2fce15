"""The difference-of-logits ratio of Croce and Hein, ICML 2020: blind to how a model scales its logits."""

import torch
from torch import Tensor

from advorch.kit.attack.objectives import margin

_NEVER_ZERO = 1e-12


def dlr(logits: Tensor, y: Tensor) -> Tensor:
    """The margin over the first logit less the third; with two classes, which have no third, the margin itself."""
    if logits.shape[1] < 3:
        return margin(logits, y)
    top = logits.topk(3, dim=1).values
    return margin(logits, y) / (top[:, 0] - top[:, 2] + _NEVER_ZERO)


def targeted_dlr(logits: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """The target's logit less the label's, over the first less the mean of third and fourth.

    With fewer than four classes the difference itself.
    """
    lead = difference(logits, y, target)
    if logits.shape[1] < 4:
        return lead
    top = logits.topk(4, dim=1).values
    return lead / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + _NEVER_ZERO)


def difference(logits: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """The cross-entropy of the label less that of the target: what remains is the difference of two logits."""
    lead = logits.gather(1, target[:, None]) - logits.gather(1, y[:, None])
    return lead.squeeze(1)


def rivals(logits: Tensor, y: Tensor) -> Tensor:
    """The classes other than the label, the likeliest first."""
    own = y[:, None] == torch.arange(logits.shape[1], device=logits.device)
    order = logits.masked_fill(own, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order[:, :-1]
