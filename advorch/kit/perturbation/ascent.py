"""Adam on a picture: the part that patches, stickers and textures share."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.victim import check_logits
from advorch.kit.perturbation.fitting import State

_DECAY, _DECAY_OF_SQUARES, _TINY = 0.9, 0.999, 1e-12


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
    """One step of Adam (Kingma and Ba, ICLR 2015), brought back to what is legal."""
    mean = torch.lerp(gradient, state["mean"], _DECAY)
    squares = torch.lerp(gradient.square(), state["squares"], _DECAY_OF_SQUARES)
    first, second = mean / (1 - _DECAY ** (number + 1)), squares / (1 - _DECAY_OF_SQUARES ** (number + 1))
    step = torch.where(second > 0, first / (second.sqrt() + _TINY), 0)
    return {**state, "pattern": legal(state["pattern"] - lr * step), "mean": mean, "squares": squares}


def towards(module: nn.Module, images: Tensor, goal: Tensor, *, targeted: bool) -> Cost:
    """The mean of -log p(target), or of log p(label) where any other label will do."""
    logits = check_logits(module(images), len(images))
    loss = cross_entropy(logits, goal).mean()
    return Cost(loss if targeted else -loss, logits)


def reached(logits: Tensor, goal: Tensor, *, targeted: bool) -> Tensor:
    """The share that is where it should be."""
    hit = logits.argmax(1).eq(goal)
    return (hit if targeted else ~hit).double().mean()
