"""Adam on a picture: the part that patches, stickers and textures share."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.adam import adapted
from advorch.kit.attack.logits import check_logits
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.perturbation.fitting import State


class Cost(NamedTuple):
    """What one minibatch costs at a picture: the mean to bring down, and logits to judge by."""

    value: Tensor
    logits: Tensor


def beginning(picture: Tensor) -> dict[str, Tensor]:
    """The state of a picture that nothing was learned about."""
    return {"pattern": picture, "mean": torch.zeros_like(picture), "squares": torch.zeros_like(picture)}


def slope(picture: Tensor, cost: Callable[[Tensor], Cost]) -> tuple[Tensor, Cost]:
    """The gradient of a cost, and the cost without its graph."""
    point = picture.detach().requires_grad_()
    with torch.enable_grad():
        found = cost(point)
        if not found.value.requires_grad:
            hint = "something inside cuts the graph ; give it a differentiable stand-in"
            message = "the model's output has no gradient with respect to its input"
            raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
        (gradient,) = torch.autograd.grad(found.value, point)
    return gradient, Cost(found.value.detach(), found.logits.detach())


def descended(state: State, gradient: Tensor, number: int, lr: float, legal: Callable[[Tensor], Tensor]) -> State:
    """One step of Adam, brought back to what is legal."""
    found = adapted(gradient, state["mean"], state["squares"], number)
    return {"pattern": legal(state["pattern"] - lr * found.step), "mean": found.mean, "squares": found.squares}


def towards(module: nn.Module, images: Tensor, target: Tensor) -> Cost:
    """The mean of -log p(target)."""
    logits = check_logits(module(images), len(images))
    return Cost(cross_entropy(logits, target).mean(), logits)


def reached(logits: Tensor, target: Tensor) -> Tensor:
    """The share that is where it should be."""
    return logits.argmax(1).eq(target).double().mean()
