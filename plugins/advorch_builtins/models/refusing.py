"""Classifier and detector as one function: Carlini and Wagner 2017 (arXiv:1705.07263), section 3.

A further logit is the largest just where the detector's score is above its threshold. Theirs is (1 + d) max_i z_i; the
sum of max_i z_i and d keeps that promise where all logits are negative, too.
"""

import torch
from torch import Tensor, nn

_ROWS = 256


class Refusing(nn.Module):
    """Logits of the classes, and of refusing; what scores a sample is the heirs' affair."""

    refuses = True
    threshold: Tensor

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("threshold", torch.zeros(()))

    def scored(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of the classes, and the score: larger where a sample looks more like an adversarial one."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        logits, score = self.scored(x)
        refusal = logits.amax(1) + (score - self.threshold).to(logits.dtype)
        return torch.cat([logits, refusal[:, None]], 1)


@torch.no_grad()
def scores(module: Refusing, x: Tensor, device: str) -> Tensor:
    """Those of all samples, in main memory."""
    parts = [module.scored(part.to(device))[1].cpu() for part in torch.split(x, _ROWS)]
    return torch.cat(parts)


def calibrate(module: Refusing, clean: Tensor, false_alarms: float) -> dict[str, float]:
    """Set the threshold that refuses at most this share of clean samples, by their scores."""
    ordered = clean.sort(descending=True).values
    module.threshold.copy_(ordered[min(int(false_alarms * len(ordered)), len(ordered) - 1)])
    alarms = (clean > module.threshold.cpu()).double().mean()
    return {"threshold": float(module.threshold), "false_alarms": float(alarms)}
