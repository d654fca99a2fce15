"""What a model says, if it can be attacked, and which way that rises."""

import torch
from torch import Tensor

from advorch.kit.attack.errors import unusable_model

_HALVES = (torch.float16, torch.bfloat16)


def check_logits(logits: Tensor, count: int) -> Tensor:
    """One row of floating-point logits a sample, two classes or more; anything else cannot be attacked."""
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != count or logits.shape[1] < 2:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise unusable_model(f"the model must return logits of shape ({count}, classes >= 2), not {found}")
    if not logits.is_floating_point():
        raise unusable_model(f"the model returns {logits.dtype}: an attack needs logits, not labels")
    return logits


def differentiate(height: Tensor, point: Tensor, *, again: bool = False) -> Tensor:
    """The gradient of the sum of the heights; with `again` the graph stays for the next one."""
    gradient = None
    if height.requires_grad:
        ones = torch.ones_like(height)
        (gradient,) = torch.autograd.grad(height, point, ones, allow_unused=True, retain_graph=again)
    if gradient is None:
        hint = "something inside cuts the graph (argmax, rounding, numpy, no_grad); give it a differentiable stand-in"
        raise unusable_model("the model's output has no gradient with respect to its input", hint)
    return gradient


def single(logits: Tensor) -> Tensor:
    """Losses are computed in float32 at least."""
    return logits.float() if logits.dtype in _HALVES else logits
