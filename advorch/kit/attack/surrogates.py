"""Models that an attacker has in place of the one under attack, joined into one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.victim import Victim


class Joined(nn.Module):
    """The logarithm of the mean of the models' probabilities, as good a logit as any: Liu et al., ICLR 2017."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        """One row of logits a sample; those of the model itself, up to a constant, where there is only one."""
        logs = torch.stack([member(x).log_softmax(1) for member in self.members])
        return logs.logsumexp(0)


def stand_in(victim: Victim) -> Victim:
    """What the attacker can open: the surrogates under the victim's threat model."""
    if not victim.surrogates:
        hint = "use it as an attack stage, with models connected to `in: {surrogates: [...]}`"
        raise StageFailed("a transfer attack needs surrogates", error_class=ErrorClass.USER, hint=hint)
    return victim.replaced_by(Joined(victim.surrogates))
