"""A model whose search in bfloat16 costs what it should: weights cast once, images with their channels last."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.func import functional_call

_WEIGHED: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Light(nn.Module):
    """The module itself, and under autocast to bfloat16 the same with weights that are in it already.

    Autocast alone casts every weight at every step. The module is not changed, and outside autocast it is the module.
    A weight that is computed from others, such as a normalised one, is no parameter and stays to autocast.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._weights = {
            f"{name}.weight" if name else "weight": _cast(weight)
            for name, part in module.named_modules()
            if isinstance(part, _WEIGHED) and (weight := part._parameters.get("weight")) is not None
        }

    def forward(self, x: Tensor) -> Tensor:
        """Logits, in the type that the context asks for."""
        kind = x.device.type
        if not torch.is_autocast_enabled(kind) or torch.get_autocast_dtype(kind) is not torch.bfloat16:
            own: Tensor = self.module(x)
            return own
        light: Tensor = functional_call(self.module, self._weights, (x,), tie_weights=False)
        return light


def works_in_bfloat16(light: Light, probe: Tensor) -> bool:
    """Whether weights that are cast already suit the module: one that switches autocast off inside wants its own."""
    with torch.no_grad(), torch.autocast(probe.device.type, torch.bfloat16):
        try:
            light(probe)
        except RuntimeError:
            return False
    return True


def _cast(weight: Tensor) -> Tensor:
    light = weight.detach().bfloat16()
    return light.to(memory_format=torch.channels_last) if light.dim() == 4 else light
