"""Empirical risk minimisation with the l1 norm of the weights in the loss (Tibshirani 1996).

In linf an attack on a linear model gains epsilon times the l1 norm of its weights: the penalty asks for robustness too.
"""

import torch
from torch import Tensor, nn

from advorch.kit.training.step import Step
from advorch_builtins.training import erm
from advorch_builtins.training.catalog import SparseParams

_MATRIX = 2  # weights have an input and an output axis; biases and the scales of normalisations have one


def loss(step: Step, params: SparseParams) -> Tensor:
    """Mean cross-entropy and lambda times the sum of all absolute weights; biases are free."""
    length = absolute_weights(step.model)
    step.log("weight_l1", length)
    return erm.loss(step, params) + params.lambda_ * length


def absolute_weights(model: nn.Module) -> Tensor:
    """The l1 norm of all weights together."""
    weights = [weight.abs().sum() for weight in model.parameters() if weight.dim() >= _MATRIX]
    return torch.stack(weights).sum() if weights else torch.zeros(())
