"""Input-gradient penalty: Drucker and LeCun, IEEE TNN 1992; Ross and Doshi-Velez, AAAI 2018 (arXiv:1711.09404); by
finite differences: Finlay and Oberman, 2021 (arXiv:1905.11468), whose ResNeXt keeps 55 % of CIFAR-10 at linf 4/255.

lambda ||grad_x L||_p^q of each sample's own loss. In a ReLU network it trains through the weights alone: the second
derivative in x is zero. With batch norm the samples of a batch are coupled, which is accepted.
"""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import ErrorClass, StageFailed
from advorch.kit.repeatable import same_draws
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.statistics import frozen_statistics
from advorch.kit.training.step import Step
from advorch_builtins.parts.params import GradientPenaltyParams


def gradient_penalty(site: Site, params: GradientPenaltyParams) -> Parts:
    """The penalty alone."""
    return Parts(penalties=(GradientPenalty(params),))


class GradientPenalty:
    """The two forms share everything but how a slope is measured."""

    def __init__(self, params: GradientPenaltyParams) -> None:
        self._params = params

    def __call__(self, step: Step, /) -> Tensor:
        """lambda times the mean over samples; logs the mean slope, without its power."""
        x = _where(step, self._params.at).detach()
        with frozen_statistics(step.model):
            slopes = exact(step, x, self._params.p) if self._params.method == "exact" else self._measured(step, x)
        step.log("gradient_norm", slopes.mean())
        return self._params.lambda_ * slopes.pow(self._params.q).mean()

    def _measured(self, step: Step, x: Tensor) -> Tensor:
        return finite_difference(step, x, self._params.p, self._params.h)


def exact(step: Step, x: Tensor, p: int) -> Tensor:
    """||grad_x L||_p of each sample, to be differentiated again."""
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad(_losses(step, x).sum(), x, create_graph=True)
    lengths: Tensor = torch.linalg.vector_norm(slope.flatten(1), p, dim=1)
    return lengths


def finite_difference(step: Step, x: Tensor, p: int, h: float) -> Tensor:
    """(L(x + h d) - L(x)) / h for the d of norm one (its dual's) along which L climbs most; d is a constant."""
    x, seed = x.requires_grad_(), step.draws("gradient-penalty").seed
    with same_draws(seed, x.device):
        here = _losses(step, x)
    (slope,) = torch.autograd.grad(here.sum(), x, retain_graph=True)
    length = torch.linalg.vector_norm(slope.flatten(1), dim=1).clamp_min(1e-12)
    direction = slope.sign() if p == 1 else slope / length.reshape(-1, *[1] * (x.dim() - 1))
    with same_draws(seed, x.device):
        there = _losses(step, x.detach() + h * direction)
    return ((there - here) / h).abs()


def _losses(step: Step, x: Tensor) -> Tensor:
    return functional.cross_entropy(step.model(x), step.y, reduction="none")


def _where(step: Step, at: str) -> Tensor:
    if at == "clean":
        return step.x
    if step.attacked is None or step.attacked.shape != step.x.shape:
        hint = "use an objective that attacks the batch, or `at: clean`"
        message = "gradient-penalty with `at: adversarial` found no adversarial samples in this step"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
    return step.attacked
