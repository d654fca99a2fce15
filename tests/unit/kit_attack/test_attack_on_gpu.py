"""What only a GPU can show."""

import pytest
import torch
from torch import nn

from advorch.kit.attack.directions import sign
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_random
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Norm

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_are_equal_bit_for_bit_on_every_device(dtype: torch.dtype) -> None:
    here, there = (Draws(3, torch.arange(50, device=device)) for device in ("cpu", "cuda"))
    for law in ("uniform", "sign"):
        one = getattr(here, law)((7, 5), like=torch.zeros(1, dtype=dtype))
        two = getattr(there, law)((7, 5), like=torch.zeros(1, dtype=dtype, device="cuda"))
        assert torch.equal(one, two.cpu())
    assert torch.equal(here.integers((9,), 0, 1000), there.integers((9,), 0, 1000).cpu())


def test_training_never_waits_for_the_device(classifier: nn.Module) -> None:
    module = classifier.cuda()
    x, y = torch.rand(64, 12, device="cuda"), torch.zeros(64, dtype=torch.int64, device="cuda")
    recipe = Recipe(steps=4, direction=sign, schedule=share_of_epsilon(0.5), start=at_random)
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1, finish=Finish.LAST)
    rng = Draws(1, torch.arange(64, device="cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        z = ascend(victim, x, y, recipe, rng)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert victim.ball(x).contains(z).all()
