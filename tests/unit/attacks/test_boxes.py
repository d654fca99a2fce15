"""Every attack keeps to a box with ends for each channel, and to the part of a picture that may change."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.region import region_mask
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.testing.arena import RADIUS
from advorch.testing.common import small_params
from advorch.testing.fakes import small_conv
from advorch.threat import Box
from advorch_builtins.attacks import catalog

ATTACKS = [item for item in catalog.advorch_components() if isinstance(item, Attack) and not item.perturbation]
PLAIN: Box = (0.0, 1.0)
ALIKE: Box = ((0.0,) * 3, (1.0,) * 3)
NARROW: Box = ((0.0, 0.2, 0.0), (1.0, 0.7, 0.9))


def pictures() -> Tensor:
    return torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(2)) * 0.5 + 0.2


def attacked(attack: Attack[Any], module: nn.Module, x: Tensor, box: Box, mask: Tensor | None = None) -> Tensor:
    norm = sorted(attack.threat.norms)[0]
    with torch.no_grad():
        y = module(x).argmax(1)
    surrogates = (module,) if attack.surrogates else ()
    victim = Victim(
        module, box=box, norm=norm, epsilon=RADIUS[norm], access=attack.threat.access, surrogates=surrogates,
        mask=mask,
    )  # fmt: skip
    with untouched(module, seed=0):
        found: Tensor = attack.load()(victim, x, y, small_params(attack), Draws(1, torch.arange(4)))
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_ends_by_channel(attack: Attack[Any]) -> None:
    module, x = small_conv(3, 8, 3).eval(), pictures()
    try:
        plain = attacked(attack, module, x, PLAIN)
    except StageFailed as refusal:
        pytest.skip(refusal.message)
    assert torch.equal(attacked(attack, module, x, ALIKE), plain)
    low, high = (torch.tensor(end).view(3, 1, 1) for end in NARROW)
    found = attacked(attack, module, x, NARROW)
    assert ((found >= low) & (found <= high)).all()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_is_masked_stays(attack: Attack[Any]) -> None:
    module, x = small_conv(3, 8, 3).eval(), pictures()
    mask = region_mask((2, 1, 5, 6), (3, 8, 8))
    assert mask is not None
    try:
        found = attacked(attack, module, x, PLAIN, mask)
    except StageFailed as refusal:
        pytest.skip(refusal.message)
    assert torch.equal(found.where(~mask, 0), x.where(~mask, 0))
    assert (found != x).any()
