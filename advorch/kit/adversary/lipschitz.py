"""Bounds on how steep a critic is that hold by construction: clipped weights, and spectral normalisation."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float) -> None:
    """Bring every parameter into [-limit, limit], after Arjovsky et al. 2017; call it after the optimiser's step."""
    parameters: list[Tensor] = list(module.parameters())
    torch._foreach_clamp_min_(parameters, -limit)
    torch._foreach_clamp_max_(parameters, limit)


def normalise_spectra(module: nn.Module, power_iterations: int = 1) -> nn.Module:
    """Divide every layer's weight by its largest singular value (Miyato et al. 2018); embeddings too.

    A convolution's weight is taken as a matrix of outputs by inputs, as in the paper: its Lipschitz constant may be
    larger, by up to the root of the kernel's area.
    """
    for part in list(module.modules()):
        if isinstance(part, _WEIGHTED):
            spectral_norm(part, n_power_iterations=power_iterations)
    return module
