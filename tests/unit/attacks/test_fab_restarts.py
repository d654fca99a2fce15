"""Where a restart of FAB begins, for samples that nothing has fooled yet."""

import math

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Victim
from advorch.threat import Box, Budget, Norm
from advorch_builtins.attacks import fab_t
from advorch_builtins.attacks.catalog_minimal import FAB, FAB_T


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


def trained() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 6)).double().eval()


@pytest.mark.parametrize("budget", list(Budget))
@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
def test_searches_side_by_side_find_what_one_after_the_other_finds(
    norm: Norm, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, x = trained(), torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y, epsilon = module(x).argmax(1), {Norm.LINF: 0.3, Norm.L2: 0.95, Norm.L1: 2.4}[norm]
    found, spent = [], []
    for full in (1, 25, 100):
        monkeypatch.setattr(fab_t, "_FULL", full)
        victim = Victim(module, box=(0.0, 1.0), norm=norm, epsilon=epsilon, budget=budget)
        found.append(fab_t.perturb(victim, x, y, FAB_T.params(steps=12), Draws(0, torch.arange(10))))
        spent.append(victim.usage(10).forwards)
    assert (found[1] - found[0]).abs().max() < 1e-9
    assert (found[2] - found[0]).abs().max() < 1e-9
    fooled = module(found[0]).argmax(1).ne(y)
    stands = ~fooled if budget is Budget.FIXED else torch.ones_like(fooled)
    assert stands.any()
    assert fooled.any()
    assert torch.equal(spent[1][stands], spent[0][stands])
    assert (spent[1] >= spent[0]).all()


class Many(Steadfast):
    """Four classes more, even further away."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super().forward(x), torch.full((len(x), 4), -20.0) + x[:, :4] / 10], 1)


def test_a_few_samples_fill_the_batch() -> None:
    module, x, steps = Many(), torch.rand(2, 6, generator=torch.Generator().manual_seed(0)), 4
    y = torch.zeros(2, dtype=torch.int64)
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1, batch=8)
    fab_t.perturb(victim, x, y, FAB_T.params(steps=steps, targets=5), Draws(0, torch.arange(2)))
    rows = [len(seen) for seen in module.seen]
    assert max(rows) == 8
    assert rows.count(8) == 2 * steps + 1  # four classes together, after the first alone
    assert torch.equal(victim.usage(2).forwards, torch.full((2,), 1 + 5 * (2 * steps + 1)))
