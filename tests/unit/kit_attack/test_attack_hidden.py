"""Perturbed activations: the closed form of a linear head, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.errors import UnusableModel
from advorch.kit.attack.hidden import shifted, worst_shift
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.traceless import untouched


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 2), nn.Identity()).double().eval()


@pytest.fixture
def batch(net: nn.Module) -> tuple[Tensor, Tensor]:
    x = torch.rand(9, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, net(x).argmax(1)


def test_a_linear_head_loses_epsilon_times_the_l1_norm(net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    head = net[2]
    assert isinstance(head, nn.Linear)
    epsilon = torch.linspace(0, 0.2, 9, dtype=torch.float64)
    with untouched(net):
        shift = worst_shift(net, "1", x, y, epsilon)
        before = margin(net(x), y)
        with shifted(net, "1", shift):
            after = margin(net(x), y)
        assert torch.equal(margin(net(x), y), before)
    slope = (head.weight[0] - head.weight[1]).abs().sum()
    assert torch.allclose(after - before, epsilon * slope)
    assert torch.allclose(shift.abs().amax(1), epsilon)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


def test_an_earlier_layer_moves_what_follows(net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    with untouched(net):
        shift = worst_shift(net, "0", x, y, 0.05)
        with shifted(net, "0", shift):
            moved = margin(net(x), y)
        assert (moved > margin(net(x), y)).all()


@pytest.mark.parametrize("layer", ["2", "3"])
def test_the_output_is_refused(net: nn.Module, batch: tuple[Tensor, Tensor], layer: str) -> None:
    with pytest.raises(UnusableModel, match="is the output of the model"), untouched(net):
        worst_shift(net, layer, *batch, 0.1)
    assert not any(part._forward_hooks for part in net.modules())


def test_names_are_listed_and_loops_refused(net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UnusableModel, match="no layer 'body'") as refusal:
        worst_shift(net, "body", *batch, 0.1)
    assert "0, 1, 2, 3" in refusal.value.hint
    shared = nn.Linear(5, 5).double()
    with pytest.raises(UnusableModel, match="called 2 times"):
        worst_shift(nn.Sequential(shared, shared, nn.Linear(5, 2).double()), "0", *batch, 0.1)


def test_the_hook_goes_when_the_model_fails(net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(RuntimeError):
        worst_shift(net, "1", batch[0][:, :3], batch[1], 0.1)
    assert not any(part._forward_hooks for part in net.modules())
