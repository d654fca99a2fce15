"""Which way a step goes: of length one in its norm, or nowhere where the gradient is zero."""

import torch
from torch import Tensor

from advorch.kit.attack.rows import largest, per_sample, size
from advorch.kit.attack.step import Direction, Step


def sign(step: Step) -> Tensor:
    """Steepest in linf."""
    return step.gradient.sign()


def unit_l2(step: Step) -> Tensor:
    """Steepest in l2; scaled by the largest number first, since the square of a vanishing gradient is zero."""
    gradient = step.ball.masked(step.gradient)
    scaled = gradient / per_sample(_nonzero(largest(gradient)), gradient)
    length = torch.linalg.vector_norm(scaled.flatten(1), dim=1)
    return scaled / per_sample(_nonzero(length), scaled)


def sparse_l1(share: float) -> Direction:
    """The largest so many numbers that can still move, by sign; one at least, which is steepest in l1."""

    def direction(step: Step) -> Tensor:
        pull = torch.where(step.ball.movable(step.z, step.gradient), step.gradient, 0)
        count = max(1, round(share * size(pull)))
        strength = pull.flatten(1).abs()
        chosen = strength.topk(count, dim=1)
        signs = pull.flatten(1).sign().gather(1, chosen.indices)
        moved = signs.abs().sum(1, keepdim=True).clamp(min=1)
        return torch.zeros_like(strength).scatter_(1, chosen.indices, signs / moved).view_as(pull)

    return direction


def corner_l1(step: Step) -> Tensor:
    """The point of the l1 ball and the box that a linear model likes best, from the clean sample, over epsilon.

    The strongest numbers go as far as the box lets them until epsilon is spent; without a box that is one number.
    """
    pull = torch.where(step.ball.movable(step.ball.x, step.gradient), step.gradient, 0).flatten(1)
    order = pull.abs().argsort(dim=1, descending=True, stable=True)
    budget = step.ball.epsilon[:, None]
    room = torch.where(pull == 0, 0, step.ball.room(step.gradient).flatten(1)).gather(1, order).minimum(budget)
    left = (budget - (room.cumsum(1) - room)).clamp(min=0)
    spent = torch.zeros_like(pull).scatter_(1, order, torch.minimum(room, left)) * pull.sign()
    return (spent / _nonzero(budget)).view_as(step.gradient)


def _nonzero(length: Tensor) -> Tensor:
    return length.clamp(min=torch.finfo(length.dtype).tiny)
