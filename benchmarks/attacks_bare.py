"""What anybody would write by hand: as many forward passes and input gradients as an attack has steps, no more."""

import torch
from attacks_task import Attack, Task
from torch import Tensor, nn
from torch.nn import functional

_WITH_GRADIENTS = ("fgsm", "pgd", "mim", "apgd")


def bare(module: nn.Module, task: Task) -> Attack | None:
    """A loop in the model's own precision, over every sample to the end; Square's has no gradients."""
    if task.kind in _WITH_GRADIENTS:
        return lambda x, y: _ascend(module, task, x, y)
    return (lambda x, y: _look(module, task, x)) if task.kind == "square" else None


def _ascend(module: nn.Module, task: Task, x: Tensor, y: Tensor) -> Tensor:
    epsilon = task.epsilon or 0.0
    alpha = epsilon if task.kind == "fgsm" else task.alpha
    lower, upper = (x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1)
    z = x.clone()
    for _ in range(task.steps):
        z.requires_grad_()
        (gradient,) = torch.autograd.grad(functional.cross_entropy(module(z), y, reduction="sum"), z)
        z = (z.detach() + alpha * gradient.sign()).clamp(lower, upper)
    return z


def _look(module: nn.Module, task: Task, x: Tensor) -> Tensor:
    with torch.no_grad():
        for _ in range(task.steps):
            module(x)
    return x
