"""What went wrong in other libraries and is not held by a test of its own elsewhere."""

import sys
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.api import Attack, Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks import catalog, catalog_apgd, catalog_black_box, catalog_momentum

FIXED: tuple[Attack[Any], ...] = (
    catalog.FGSM,
    catalog.PGD,
    catalog_momentum.MIM,
    catalog_apgd.APGD_CE,
    catalog_black_box.SQUARE,
)
QUICK = {"square": {"queries": 30}, "apgd-ce": {"steps": 10}}


def attack(
    component: Attack[Any], module: nn.Module, batch: tuple[Tensor, Tensor], norm: Norm = Norm.LINF
) -> AttackResult:
    x, y = batch
    params = component.params(**QUICK.get(component.name, {}))
    victim = Victim(module, box=(0.0, 1.0), norm=norm, epsilon=0.1, access=component.threat.access)
    return run_attack(component.load(), victim, x, y, params, Draws(3, torch.arange(len(x))))


def test_inside_the_ball_nothing_is_shrunk_and_nothing_inflated() -> None:
    """A factor of norms over norms projects nothing; a clamp on the step instead of the factor fills the ball."""
    x = torch.full((2, 4), 10.0)
    victim = Victim(nn.Identity(), box=None, norm=Norm.L2, epsilon=2.0)
    inside, outside = torch.tensor([0.5, 0.0, 0.0, 0.0]), torch.tensor([6.0, 8.0, 0.0, 0.0])
    z = victim.ball(x).project(x + torch.stack([inside, outside]))
    assert torch.allclose(z - x, torch.stack([inside, torch.tensor([1.2, 1.6, 0.0, 0.0])]), atol=1e-5)


@pytest.mark.parametrize("step", [[-0.3, 0.1], [0.1, -0.3]])
def test_a_negative_number_counts_as_far_as_it_goes(step: list[float]) -> None:
    """The largest number is not the largest magnitude."""
    ball = Victim(nn.Identity(), box=None, norm=Norm.LINF, epsilon=0.2).ball(torch.zeros(1, 2))
    moved = torch.tensor([step])
    assert ball.distance(moved).item() == pytest.approx(0.3)
    assert not ball.contains(moved)
    assert ball.project(moved).abs().max().item() == pytest.approx(0.2)


def test_in_l1_every_sample_of_a_batch_moves(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """The strongest number of a sample, not of the batch."""
    result = attack(catalog.PGD, trained, held_out, Norm.L1)
    moved = (result.adversarial != held_out[0]).flatten(1).any(1)
    assert torch.equal(moved, result.clean_correct)


@pytest.mark.parametrize("component", FIXED, ids=lambda one: one.name)
def test_who_traces_the_process_goes_on_tracing(
    trained: nn.Module, held_out: tuple[Tensor, Tensor], component: Attack[Any]
) -> None:
    """A debugger or a coverage tool."""

    def trace(frame: FrameType, event: str, argument: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        attack(component, trained, (held_out[0][:4], held_out[1][:4]))
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("component", FIXED, ids=lambda one: one.name)
def test_gradients_are_found_where_the_caller_wants_none_and_none_are_handed_out(
    trained: nn.Module, held_out: tuple[Tensor, Tensor], component: Attack[Any]
) -> None:
    expected = attack(component, trained, held_out)
    with torch.no_grad():
        result = attack(component, trained, held_out)
    assert torch.equal(result.adversarial, expected.adversarial)
    assert not result.adversarial.requires_grad


@pytest.mark.parametrize("component", FIXED, ids=lambda one: one.name)
def test_no_sample_is_no_trouble(trained: nn.Module, held_out: tuple[Tensor, Tensor], component: Attack[Any]) -> None:
    result = attack(component, trained, (held_out[0][:0], held_out[1][:0]))
    assert result.adversarial.shape == held_out[0][:0].shape
    assert result.success.shape == (0,)


@pytest.mark.parametrize("component", FIXED, ids=lambda one: one.name)
def test_who_is_wrong_already_is_left_alone(
    trained: nn.Module, held_out: tuple[Tensor, Tensor], component: Attack[Any]
) -> None:
    x, y = held_out[0], held_out[1].clone()
    y[::2] = (trained(x[::2]).argmax(1) + 1) % 10
    result = attack(component, trained, (x, y))
    wrong = ~result.clean_correct
    assert wrong[::2].all()
    assert torch.equal(result.adversarial[wrong], x[wrong])
    assert not result.success[wrong].any()
    assert not result.queries[wrong].any()


def test_robust_accuracy_is_a_share_of_verdicts(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = attack(catalog.PGD, trained, held_out)
    right = trained(result.adversarial).argmax(1).eq(held_out[1])
    assert (result.clean_correct & ~result.success).double().mean().item() == right.double().mean().item()
