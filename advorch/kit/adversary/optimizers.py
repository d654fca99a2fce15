"""Optimisers for players, by name, and how learning rates fall."""

import functools
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer

from advorch.kit.adversary.game import Build


def adam(lr: float, betas: tuple[float, float], epsilon: float = 1e-8) -> Build:
    """Adam, all weights in one kernel."""
    return functools.partial(torch.optim.Adam, lr=lr, betas=betas, eps=epsilon, fused=True)


def rmsprop(lr: float) -> Build:
    """RMSprop, which has no momentum of its own."""
    return functools.partial(torch.optim.RMSprop, lr=lr)


def sgd(lr: float, momentum: float) -> Build:
    """Stochastic gradient descent."""

    def build(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.SGD(parameters, lr=lr, momentum=momentum)

    return build


def linear_decay(share: float) -> float:
    """From the whole rate at the start to none at the end."""
    return 1 - share
