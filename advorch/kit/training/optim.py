"""Optimisers by name, and the learning rate as a function of progress alone, so that nothing of it needs keeping."""

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn
from torch.optim import Optimizer

from advorch.settings import OptimizerSettings


def make_optimizer(settings: OptimizerSettings, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """All parameters in one group; what belongs to another optimiser is left aside."""
    lr, decay, betas = settings.lr, settings.weight_decay, settings.betas
    wanted = [parameter for parameter in parameters if parameter.requires_grad]
    makers: Mapping[str, Callable[[], Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(
            wanted, lr, settings.momentum, settings.dampening, weight_decay=decay, nesterov=settings.nesterov
        ),
        "adam": lambda: torch.optim.Adam(wanted, lr, betas, weight_decay=decay),
        "adamw": lambda: torch.optim.AdamW(wanted, lr, betas, weight_decay=decay),
        "rmsprop": lambda: torch.optim.RMSprop(wanted, lr, weight_decay=decay),
    }
    return makers[settings.optimizer]()


def rate(settings: OptimizerSettings, progress: float, *, epochs: int = 0, steps: int = 0) -> float:
    """The learning rate after a share of all steps, so many whole epochs and so many steps.

    `cyclic` climbs from zero to lr and back, as in fast training.
    """
    if settings.schedule == "cosine":
        return settings.lr * (1 + math.cos(math.pi * progress)) / 2
    if settings.schedule == "step":
        return settings.lr * math.pow(0.1, sum(progress >= milestone for milestone in settings.milestones))
    if settings.schedule == "exponential":
        return settings.lr * math.pow(settings.factor, steps if settings.factor_every == "step" else epochs)
    if settings.schedule == "cyclic":
        return settings.lr * (1 - abs(2 * progress - 1))
    return settings.lr


def set_rate(optimizer: Optimizer, lr: float) -> None:
    """Let the next update use this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr
