"""A look at the boundaries between the label and the classes that come next."""

from typing import NamedTuple

import torch
from torch import Tensor

from advorch.kit.attack.shrink import Walk
from advorch.kit.attack.victim import Victim


def runners_up(victim: Victim, x: Tensor, y: Tensor, count: int) -> Tensor:
    """The `count` likeliest classes (all, where there are fewer), the label counted and left out: one row a sample."""
    return likeliest(victim.of_classes(victim.logits(x)), y, count)


def likeliest(logits: Tensor, y: Tensor, count: int) -> Tensor:
    """The same from logits that are already there."""
    others = logits.scatter(1, y[:, None], -torch.inf)
    return others.topk(max(1, min(count, logits.shape[1]) - 1), dim=1).indices


class ClassLook(NamedTuple):
    """By how much each class of a walk's memory leads over the label, and which way its lead rises."""

    value: Tensor
    logits: Tensor
    lead: Tensor
    gradient: Tensor

    @classmethod
    def at(cls, walk: Walk) -> "ClassLook":
        """Where the walk stands."""
        return cls.from_point(walk, walk.z)

    @classmethod
    def from_point(cls, walk: Walk, z: Tensor) -> "ClassLook":
        """At another point of the walk's samples; what is masked has no slope."""
        lead, gradient, logits = walk.victim.class_slopes(z, walk.y, walk.memory["classes"])
        mask = walk.ball.mask
        gradient = gradient if mask is None else torch.where(mask[:, None], gradient, 0)
        return cls(lead.amax(1), logits, lead, gradient)
