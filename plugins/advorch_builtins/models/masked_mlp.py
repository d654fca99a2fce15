"""Rounded inputs: the staircase of which thermometer coding is a form (Buckman et al., ICLR 2018).

The gradient is zero wherever there is one, and the adversarials are where they were: broken by a smooth stand-in on the
way back, or by anything that asks for no gradient (Athalye, Carlini and Wagner, ICML 2018).
"""

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
            hint = "give the data a box, or use `mlp`"
            raise StageFailed(
                "levels divide the box of the data, and it has none", error_class=ErrorClass.USER, hint=hint
            )
        self._box, self._sample, self._levels = signature.box, signature.shape, levels

    def forward(self, x: Tensor) -> Tensor:
        low, high = ends_of(self._box, self._sample, x)
        return ((x - low) / (high - low) * self._levels).round() / self._levels * (high - low) + low


def build(params: MaskedMlpParams, signature: Signature) -> nn.Module:
    """The network behind its stairs."""
    net = fully_connected(signature, params)
    return nn.Sequential(Rounded(signature, params.levels), net)
