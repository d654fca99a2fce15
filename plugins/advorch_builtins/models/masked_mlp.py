"""Two defences that hide the gradient and leave the adversarials where they are.

Rounded inputs (Buckman et al., ICLR 2018, broken by Athalye et al., ICML 2018) have no gradient. A temperature of
training (Papernot et al., S&P 2016, broken by Carlini and Wagner, S&P 2017) makes logits so large that the softmax, and
with it the usual cross-entropy, is flat in float32.
"""

import torch
from torch import Tensor, nn

from advorch.api import ErrorClass, Signature, StageFailed
from advorch.kit.box import ends_of
from advorch_builtins.models.catalog_masked import MaskedMlpParams
from advorch_builtins.models.mlp import fully_connected


class Rounded(nn.Module):
    """The nearest of so many steps of the box."""

    def __init__(self, signature: Signature, levels: int) -> None:
        super().__init__()
        if signature.box is None:
            hint = "leave out `levels`, or give the data a box"
            raise StageFailed(
                "levels divide the box of the data, and it has none", error_class=ErrorClass.USER, hint=hint
            )
        self._box, self._sample, self._levels = signature.box, signature.shape, levels

    def forward(self, x: Tensor) -> Tensor:
        low, high = ends_of(self._box, self._sample, x)
        return ((x - low) / (high - low) * self._levels).round() / self._levels * (high - low) + low


class Cooled(nn.Module):
    """Logits over a temperature, in training alone."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self._temperature = temperature

    def forward(self, logits: Tensor) -> Tensor:
        return torch.div(logits, self._temperature) if self.training else logits


def build(params: MaskedMlpParams, signature: Signature) -> nn.Module:
    """The network, with what is asked for before and behind it."""
    net = fully_connected(signature, params.hidden, params.activation, params.dropout)
    before = nn.Identity() if params.levels is None else Rounded(signature, params.levels)
    return nn.Sequential(before, net, Cooled(params.temperature))
