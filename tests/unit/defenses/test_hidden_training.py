"""Perturbed activations: by how much, where, and where not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.training.step import Step
from advorch_builtins.defenses import hidden
from advorch_builtins.defenses.catalog_losses import HiddenParams

StepOf = Callable[..., Step]


def number(value: Tensor) -> float:
    return float(value.detach())


def test_the_loss_is_that_of_the_layer_moved_along_its_gradient(smooth: nn.Module, step_of: StepOf) -> None:
    step = step_of(smooth)
    found = hidden.loss(step, HiddenParams(epsilon=0.2, alpha=0.25))
    said = smooth[:2](step.x).detach().requires_grad_()
    (slope,) = torch.autograd.grad(functional.cross_entropy(smooth[2](said), step.y, reduction="sum"), said)
    size = said.detach().square().mean(1, keepdim=True).sqrt()
    moved = smooth[2](smooth[:2](step.x) + 0.2 * size * slope.sign())
    clean = functional.cross_entropy(smooth(step.x), step.y)
    wanted = 0.25 * clean + 0.75 * functional.cross_entropy(moved, step.y)
    assert number(found) == pytest.approx(number(wanted), rel=1e-12)
    one, other = (torch.autograd.grad(loss, smooth[0].weight)[0] for loss in (found, wanted))
    assert torch.allclose(one, other, atol=1e-12)


def test_a_size_relative_to_the_layer_does_not_care_for_its_scale(smooth: nn.Module, step_of: StepOf) -> None:
    grown = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).double()
    before = {flag: _of(grown, step_of, flag) for flag in (True, False)}
    with torch.no_grad():
        for parameter in grown[0].parameters():
            parameter.mul_(100)
        grown[2].weight.div_(100)
    assert _of(grown, step_of, True) == pytest.approx(before[True])
    assert _of(grown, step_of, False) < before[False]  # a unit without a bound grows until epsilon is nothing to it


def _of(model: nn.Module, step_of: StepOf, relative: bool) -> float:
    return number(hidden.loss(step_of(model), HiddenParams(epsilon=0.3, relative=relative, alpha=0.0)))


def test_every_activation_is_moved_by_default_and_named_ones_alone(step_of: StepOf) -> None:
    layers = nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)
    model = nn.Sequential(*layers).double()
    assert set(hidden.worst_shifts(step_of(model), HiddenParams())) == {"1", "3"}
    assert set(hidden.worst_shifts(step_of(model), HiddenParams(layers=("2",)))) == {"2"}


def test_the_output_is_refused_and_so_is_a_model_without_a_hidden_layer(smooth: nn.Module, step_of: StepOf) -> None:
    with pytest.raises(StageFailed, match="output of the model"):
        hidden.loss(step_of(smooth), HiddenParams(layers=("2",)))
    with pytest.raises(StageFailed, match="no hidden layer") as caught:
        hidden.loss(step_of(nn.Linear(6, 4).double()), HiddenParams())
    assert caught.value.error_class is ErrorClass.USER


def test_nothing_is_left_on_the_model(net: nn.Module, step_of: StepOf) -> None:
    step = step_of(net.train())
    hidden.worst_shifts(step, HiddenParams())
    assert int(net[1].num_batches_tracked) == 0
    assert all(weight.grad is None and weight.requires_grad for weight in net.parameters())
    hidden.loss(step, HiddenParams())
    assert not any(part._forward_hooks for part in net.modules())
    assert net.training
