"""The public contract suite, and what the attack is good for."""

import pytest
import torch
from advorch_example import ATTACK, SmoothedParams
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch.testing.contract import Check, NotApplicable, checks_for
from advorch.testing.fakes import LinearModel, tiny_data
from advorch.threat import Norm


@pytest.mark.parametrize("check", checks_for(ATTACK), ids=lambda check: check.name)
def test_contract(check: Check) -> None:
    try:
        check.run()
    except NotApplicable as reason:
        pytest.skip(str(reason))


class Rippled(nn.Module):
    """A linear model under a ripple: its gradient points anywhere, its average over a wider noise does not."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = LinearModel(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.linear(x + 0.02 * torch.sin(400 * x))
        return logits


def robust_accuracy(sigma: float, norm: Norm, epsilon: float) -> float:
    module, data = Rippled().eval(), tiny_data(64, (12,), 2)
    with torch.no_grad():
        y = module(data.x).argmax(1)
    victim = Victim(module, box=data.box, norm=norm, epsilon=epsilon)
    params = SmoothedParams(steps=10, draws=16, sigma=sigma)
    with untouched(module):
        found = ATTACK.load()(victim, data.x, y, params, Draws(0, data.ids))
    with torch.no_grad():
        return float((module(found).argmax(1) == y).float().mean())


@pytest.mark.parametrize(("norm", "epsilon"), [(Norm.LINF, 0.1), (Norm.L2, 0.4)])
def test_noise_sees_through_a_ripple(norm: Norm, epsilon: float) -> None:
    assert robust_accuracy(0.05, norm, epsilon) < robust_accuracy(0.0, norm, epsilon) - 0.1
