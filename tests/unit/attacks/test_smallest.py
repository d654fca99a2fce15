import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.victim import Victim
from advorch.testing.fakes import LinearModel
from advorch.threat import Box, Budget, Norm
from advorch_builtins.attacks.catalog_smallest import SMALLEST, SmallestParams

COUNT, FEATURES = 10, 12


def samples(module: nn.Module) -> tuple[Tensor, Tensor]:
    x = 0.5 + 0.2 * (torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(4)) - 0.5)
    return x, module(x).argmax(1)


def victim_of(module: nn.Module, norm: Norm, box: Box | None = (0.0, 1.0), epsilon: float = 0.05) -> Victim:
    return Victim(module, box=box, norm=norm, epsilon=epsilon, budget=Budget.MINIMAL)


def draws() -> Draws:
    return Draws(0, torch.arange(COUNT))


@pytest.mark.parametrize("base", ["fgsm", "bim", "pgd"])
@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2])
def test_on_a_linear_model_it_is_the_distance_to_the_boundary(base: str, norm: Norm) -> None:
    module = LinearModel(FEATURES, 2)
    x, y = samples(module)
    params = SmallestParams.parse({"base": base, "steps": 5})
    result = run_attack(SMALLEST.load(), victim_of(module, norm), x, y, params, draws())
    exact = module.distance(x, norm).double()
    assert result.adversarial_prediction.ne(y).all()
    assert torch.allclose(result.distance, exact, rtol=5e-3, atol=1e-4)
    assert torch.equal(result.success, result.distance <= 0.05)


def test_a_sample_that_nothing_fools_comes_back_as_far_as_was_looked() -> None:
    module = LinearModel(FEATURES, 2)
    x, y = samples(module)
    reach = 0.5 * float(module.distance(x, Norm.LINF).min())
    z = SMALLEST.load()(victim_of(module, Norm.LINF), x, y, SmallestParams(largest=reach), draws())
    assert torch.equal(module(z).argmax(1), y)
    assert torch.allclose((z - x).abs().amax(1), torch.tensor(reach), atol=1e-6)


def test_every_try_is_counted() -> None:
    module = LinearModel(FEATURES, 2)
    x, y = samples(module)
    victim = victim_of(module, Norm.LINF)
    SMALLEST.load()(victim, x, y, SmallestParams(), draws())
    usage = victim.usage(COUNT)
    assert usage.backwards.min() >= 11, "a doubling and ten halvings"
    assert (usage.queries > usage.backwards).all(), "each try is judged"


def test_it_looks_as_far_as_the_box_is_wide_channel_by_channel() -> None:
    class Never(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            height = x.flatten(1).sum(1, keepdim=True)
            return torch.cat([height + 1000, -height], 1)

    x = torch.full((2, 2, 1, 1), 1.0)
    box: Box = ((0.0, -3.0), (2.0, 5.0))
    y = torch.zeros(2, dtype=torch.int64)
    z = SMALLEST.load()(victim_of(Never(), Norm.LINF, box), x, y, SmallestParams(), Draws(0, torch.arange(2)))
    assert z[:, :, 0, 0].tolist() == [[0.0, -3.0]] * 2


def test_without_a_box_somebody_has_to_say_how_far() -> None:
    module = LinearModel(FEATURES, 2)
    x, y = samples(module)
    with pytest.raises(StageFailed, match="no largest epsilon") as refused:
        SMALLEST.load()(victim_of(module, Norm.L2, None), x, y, SmallestParams(), draws())
    assert "largest" in str(refused.value.hint)
    z = SMALLEST.load()(victim_of(module, Norm.L2, None), x, y, SmallestParams(largest=10.0), draws())
    assert module(z).argmax(1).ne(y).all()
