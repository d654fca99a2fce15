"""What the last linear layer of a classifier is given: features by which its domain can be compared."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

_BATCH = 512


@torch.no_grad()
def features(module: nn.Module, x: Tensor, *, device: str = "cpu", batch: int = _BATCH) -> Tensor:
    """One row a sample, on the CPU; of a network without a linear layer, its logits."""
    seen: list[Tensor] = []
    hooks = [layer.register_forward_pre_hook(_kept(seen)) for layer in module.modules() if isinstance(layer, nn.Linear)]
    try:
        return torch.cat([_last(module, part.to(device), seen) for part in torch.split(x, batch)])
    finally:
        for hook in hooks:
            hook.remove()


def _kept(seen: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def keep(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])

    return keep


def _last(module: nn.Module, x: Tensor, seen: list[Tensor]) -> Tensor:
    seen.clear()
    logits: Tensor = module(x)
    return (seen[-1] if seen else logits).flatten(1).cpu()
