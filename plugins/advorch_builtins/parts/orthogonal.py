"""Orthogonal regularisation: Brock, Lim, Ritchie and Weston, ICLR 2017 (arXiv:1609.07093); spectral (SRIP): Bansal,
Chen and Wang, NeurIPS 2018 (arXiv:1810.09102), 0.3 points less error of a WRN on CIFAR-10. It pulls where weight
decay does not want to go: use one of them.
"""

import torch
from torch import Tensor

from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.step import Step
from advorch_builtins.parts.layers import in_full, matrix, matrix_layers
from advorch_builtins.parts.params import OrthogonalParams


def orthogonal(site: Site, params: OrthogonalParams) -> Parts:
    """The penalty alone."""
    return Parts(penalties=(Orthogonal(params),))


class Orthogonal:
    """lambda times the sum over layers of a size of WW' - I."""

    def __init__(self, params: OrthogonalParams) -> None:
        self._params = params

    def __call__(self, step: Step, /) -> Tensor:
        """Logs the sum before lambda."""
        layers = matrix_layers(step.model, "orthogonal")
        with in_full(step):
            size = torch.stack([_size(_excess(matrix(layer)), self._params.form) for layer in layers]).sum()
        step.log("orthogonality", size)
        return self._params.lambda_ * size


def _excess(weights: Tensor) -> Tensor:
    """The Gram matrix of rows or columns, whichever are fewer (more cannot be orthogonal), less the identity."""
    rows, columns = weights.shape
    gram = weights @ weights.T if rows <= columns else weights.T @ weights
    return gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)


def _size(excess: Tensor, form: str) -> Tensor:
    if form == "absolute":
        return excess.abs().sum()
    if form == "spectral":
        largest: Tensor = torch.linalg.matrix_norm(excess.float(), 2)
        return largest.to(excess.dtype)
    if form == "off-diagonal":
        excess = excess - torch.diag(excess.diagonal())
    return excess.square().sum()
