"""Spectral normalisation: Miyato, Kataoka, Koyama and Yoshida, ICLR 2018 (arXiv:1802.05957); the penalty: Yoshida and
Miyato, 2017 (arXiv:1705.10941), lambda 0.01. A convolution counts as its kernel laid flat, as in the papers.

Batch norm after a normalised layer gives it any scale again: use models without it.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrizations, parametrize

from advorch.api import ErrorClass, StageFailed
from advorch.kit.repeatable import same_draws
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.step import Step
from advorch_builtins.parts.layers import in_full, matrix, matrix_layers
from advorch_builtins.parts.params import SpectralNormParams, SpectralPenaltyParams


def spectral_norm(site: Site, params: SpectralNormParams) -> Parts:
    """Weights are divided while they are trained, and what is handed over holds the quotients."""
    with same_draws(site.seeds.stream("spectral-norm")):
        for layer in matrix_layers(site.model, "spectral-norm"):
            _refuse_nothing(layer)
            parametrizations.spectral_norm(layer, n_power_iterations=params.power_iterations)
            parametrize.register_parametrization(layer, "weight", _Scaled(params.cap))
    return Parts(baking=(partial(_bake, cap=params.cap),))


def _refuse_nothing(layer: nn.Linear | _ConvNd) -> None:
    if not layer.weight.any():
        message = f"spectral-norm cannot divide the weights of {layer} by their norm: all of them are zero"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="start that layer at random")


class _Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self._factor


@torch.no_grad()
def _bake(model: nn.Module, cap: float) -> None:
    """What power iterations were still short of is made good.

    torch's own removal takes the weight from the class, which a copy shares with what it was copied from.
    """
    model.eval()
    for layer in matrix_layers(model, "spectral-norm"):
        weight = nn.Parameter(layer.weight / _norm(matrix(layer)) * cap)
        plain = parametrize.type_before_parametrizations(layer)
        del layer.parametrizations
        layer.__class__ = plain
        layer.register_parameter("weight", weight)


def _norm(weights: Tensor) -> Tensor:
    sigma: Tensor = torch.linalg.matrix_norm(weights.to(torch.promote_types(weights.dtype, torch.float32)), 2)
    return sigma.to(weights.dtype)


def spectral_penalty(site: Site, params: SpectralPenaltyParams) -> Parts:
    """The penalty alone."""
    return Parts(penalties=(SpectralPenalty(site, params),))


class SpectralPenalty:
    """lambda times the sum over layers of sigma^2, by power iterations that go on from step to step."""

    def __init__(self, site: Site, params: SpectralPenaltyParams) -> None:
        self._params = params
        layers = matrix_layers(site.model, "spectral-penalty")
        rng = torch.Generator().manual_seed(site.seeds.stream("spectral-penalty"))
        self._rows = [_start(layer, rng, site.device) for layer in layers]

    def __call__(self, step: Step, /) -> Tensor:
        """Logs the largest of the singular values."""
        layers = matrix_layers(step.model, "spectral-penalty")
        with in_full(step):
            sigmas = torch.stack([self._sigma(place, matrix(layer)) for place, layer in enumerate(layers)])
        step.log("largest_singular_value", sigmas.max())
        return self._params.lambda_ * sigmas.square().sum()

    def _sigma(self, place: int, weights: Tensor) -> Tensor:
        """u' W v, differentiable in W; u is kept for the next step."""
        row, fixed = self._rows[place], weights.detach()
        for _ in range(self._params.power_iterations):
            column = _unit(fixed.T @ row)
            row = _unit(fixed @ column)
        self._rows[place] = row
        sigma: Tensor = row @ weights @ column
        return sigma

    def state(self) -> dict[str, Tensor]:
        """One vector a layer."""
        return {str(place): row for place, row in enumerate(self._rows)}

    def restore(self, state: dict[str, Tensor], /) -> None:
        """Go on from there."""
        self._rows = [state[str(place)] for place in range(len(self._rows))]


def _start(layer: nn.Linear | _ConvNd, rng: torch.Generator, device: str) -> Tensor:
    weights = matrix(layer).detach()
    return _unit(torch.randn(len(weights), generator=rng).to(device, weights.dtype))


def _unit(vector: Tensor) -> Tensor:
    scaled: Tensor = vector / vector.norm().clamp_min(1e-12)
    return scaled
