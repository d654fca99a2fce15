"""Which way a step goes: of length one in its norm, or nowhere where the gradient is zero."""

import torch
from torch import Tensor

from advorch.kit.attack.projection import ranks
from advorch.kit.attack.rows import largest, per_sample, size, total
from advorch.kit.attack.step import Direction, Step


def sign(step: Step) -> Tensor:
    """Steepest in linf."""
    return step.gradient.sign()


def unit_l2(step: Step) -> Tensor:
    """Steepest in l2."""
    return to_unit_l2(step.ball.masked(step.gradient))


def to_unit_l2(gradient: Tensor) -> Tensor:
    """Of length one; scaled by the largest number first, since the square of a vanishing gradient is zero."""
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
    ball, gradient = step.ball, step.gradient
    movable = ball.movable(ball.x, gradient)
    room = torch.where(movable, ball.room(gradient), 0).minimum(per_sample(ball.epsilon, gradient))
    place = ranks(torch.where(movable, gradient, 0).abs())
    whole = _how_many_fit(room, place, ball.epsilon)
    left = ball.epsilon - total(torch.where(place < per_sample(whole, room), room, 0)).to(room.dtype)
    rest = torch.minimum(room, per_sample(left.clamp(min=0), room))
    spent = torch.where(place < per_sample(whole, room), room, torch.where(place == per_sample(whole, room), rest, 0))
    return spent * gradient.sign() / per_sample(_nonzero(ball.epsilon), room)


def _how_many_fit(room: Tensor, place: Tensor, budget: Tensor) -> Tensor:
    """How many numbers, in the order of their places, can go all the way."""
    low = torch.zeros(len(room), dtype=torch.int64, device=room.device)
    high = torch.full_like(low, size(room))
    for _ in range(size(room).bit_length()):
        middle = (low + high + 1) // 2
        fits = total(torch.where(place < per_sample(middle, room), room, 0)) <= budget
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle - 1)
    return low


def _nonzero(length: Tensor) -> Tensor:
    return length.clamp(min=torch.finfo(length.dtype).tiny)
