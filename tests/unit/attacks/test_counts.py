"""What is counted for the samples is what the model was asked."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import Campaign, run_attack
from advorch.kit.attack.victim import Victim
from advorch.testing.common import small_params
from advorch.threat import Norm
from advorch_builtins.attacks import catalog, catalog_apgd, catalog_black_box, catalog_minimal

SIZE = 6
ATTACKS = [
    catalog.PGD, catalog_apgd.APGD_T, catalog_minimal.CW, catalog_minimal.FMN, catalog_black_box.SQUARE,
    catalog_black_box.HOPSKIPJUMP,
]  # fmt: skip


class Counted(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.rows, self.most = module, 0, 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows, self.most = self.rows + len(x), max(self.most, len(x))
        out: Tensor = self.module(x)
        return out


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_row_is_somebodys(attack: Attack[Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """But the first look at everybody, and the verdict on whoever was attacked."""
    (x, y), module, norm = held_out, Counted(trained), sorted(attack.threat.norms)[0]
    victim = Victim(
        module, box=(0.0, 1.0), norm=norm, epsilon=0.05, access=attack.threat.access, budget=attack.threat.budget,
        batch=48,
    )  # fmt: skip
    campaign = Campaign(pooled=attack.pooled)
    draws = Draws(0, torch.arange(len(x)))
    found = run_attack(attack.load(), victim, x, y, small_params(attack), draws, campaign=campaign)
    unasked = 2 if attack is catalog_apgd.APGD_T else 0  # samples that told how many classes there are
    assert int(found.forwards.sum()) == module.rows - len(x) - int(found.clean_correct.sum()) - unasked


@pytest.mark.parametrize("attack", [catalog_black_box.NES, catalog_black_box.HOPSKIPJUMP], ids=lambda one: one.name)
def test_draws_around_samples_keep_to_the_batch(attack: Attack[Any], trained: nn.Module) -> None:
    x, module = torch.rand(8, SIZE, generator=torch.Generator().manual_seed(0)), Counted(trained)
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.L2, epsilon=0.05, access=attack.threat.access, batch=20)
    run_attack(attack.load(), victim, x, trained(x).argmax(1), small_params(attack), Draws(0, torch.arange(8)))
    assert module.most <= 20


def test_steps_through_wider_balls_are_counted(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    attack, (x, y) = catalog_apgd.APGD_CE, held_out
    params = attack.nested_schema().parse({"epsilon": 0.3, "norm": "l1", "steps": 10})
    victim = Victim(trained, box=(0.0, 1.0), norm=Norm.L1, epsilon=0.3)
    found = run_attack(attack.load(), victim, x, y, params, Draws(0, torch.arange(len(x))))
    assert found.success.any()
    assert found.first_step[found.success].min() >= 6
