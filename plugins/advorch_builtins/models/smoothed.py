"""Randomized smoothing as a model: Cohen, Rosenfeld and Kolter 2019 (arXiv:1902.02918), with a soft vote.

Certificates are `evaluate/certificate`, on the model inside. This is what an attacker meets: few draws, new ones in
each forward pass, and a gradient of their mean (Salman et al. 2019, arXiv:1906.04584), which asks for attacks that
average.
"""

import math

import torch
from torch import Tensor, nn

from advorch.api import Signature
from advorch.kit.numbers import check_numbers
from advorch_builtins.models.catalog_around import SmoothedParams


class Smoothed(nn.Module):
    """log of mean_k softmax f(x + sigma noise_k); noise is not clipped and comes before all that f does."""

    def __init__(self, inner: nn.Module, sigma: float, draws: int) -> None:
        super().__init__()
        self.inner = inner
        self.sigma = sigma
        self.draws = draws

    def forward(self, x: Tensor) -> Tensor:
        check_numbers(x, "smoothing")
        copies = (x + self.sigma * torch.randn_like(x) for _ in range(self.draws))
        said = torch.stack([self.inner(copy).log_softmax(1) for copy in copies])
        return said.logsumexp(0) - math.log(self.draws)


def build(params: SmoothedParams, signature: Signature, inner: nn.Module) -> nn.Module:
    """The model under noise."""
    return Smoothed(inner, params.sigma, params.draws)
