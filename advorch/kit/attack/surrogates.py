"""Models that an attacker has in place of the one under attack, joined into one."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.victim import Victim


class Joined(nn.Module):
    """The logarithm of the mean of the models' probabilities, as good a logit as any: Liu et al., ICLR 2017.

    With weights, of their weighted mean.
    """

    def __init__(self, modules: Sequence[nn.Module], weights: Sequence[float] = ()) -> None:
        super().__init__()
        self.members = nn.ModuleList(modules)
        self.shares = tuple(math.log(weight / sum(weights)) for weight in weights) or (0.0,) * len(modules)

    def forward(self, x: Tensor) -> Tensor:
        """One row of logits a sample; those of the model itself, up to a constant, where there is only one."""
        members = zip(self.members, self.shares, strict=True)
        return torch.stack([member(x).log_softmax(1) + share for member, share in members]).logsumexp(0)


def stand_in(victim: Victim, weights: Sequence[float] = ()) -> Victim:
    """What the attacker can open: the surrogates under the victim's threat model, of equal weight unless told."""
    if not victim.surrogates:
        hint = "use it as an attack stage, with models connected to `in: {surrogates: [...]}`"
        raise StageFailed("a transfer attack needs surrogates", error_class=ErrorClass.USER, hint=hint)
    if weights and len(weights) != len(victim.surrogates):
        message = f"{len(weights)} weights for {len(victim.surrogates)} surrogates"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="give one a surrogate, in the order of the port")
    return victim.replaced_by(Joined(victim.surrogates, weights))
