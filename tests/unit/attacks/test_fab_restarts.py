"""Where a restart of FAB begins, for samples that nothing has fooled yet."""

import math

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.threat import Box, Budget, Norm
from advorch_builtins.attacks.catalog_minimal import FAB


class Steadfast(nn.Module):
    """One class everywhere, with slopes; remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach())
        return torch.stack([torch.zeros(len(x)), x[:, :3].tanh().sum(1) - 10], 1)


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
@pytest.mark.parametrize("box", [None, (-1000.0, 1000.0)], ids=["endless", "boxed"])
def test_without_epsilon_or_success_it_begins_at_half_the_way_that_was_searched(norm: Norm, box: Box | None) -> None:
    module, x = Steadfast(), torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
    victim = Victim(module, box=box, norm=norm, epsilon=math.inf, budget=Budget.MINIMAL)
    y, rng = torch.zeros(4, dtype=torch.int64), Draws(0, torch.arange(4))
    first = [FAB.load()(victim, x, y, FAB.params(steps=1, restarts=1), rng), *module.seen]
    reach = max(float((z - x).abs().max()) for z in first)
    module.seen.clear()
    FAB.load()(victim, x, y, FAB.params(steps=1, restarts=2), rng)
    assert all(bool(torch.isfinite(z).all()) for z in module.seen)
    begun = module.seen[len(first) - 1]
    assert 0 < float((begun - x).abs().max()) <= reach
