"""What an objective promises: one finite number that a model can be trained by."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from advorch.components import AnyComponent, Objective
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import Mode, untouched
from advorch.kit.data import Data
from advorch.kit.training.step import Inner, Step
from advorch.kit.training.trainer import Recipe, Trainer
from advorch.params import AttackRef
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings
from advorch.testing.arena import snapshot
from advorch.testing.check import Check, demand
from advorch.testing.common import small_params, unfit
from advorch.testing.fakes import learnable_data, small_conv, small_mlp

EPSILON = 0.05
EPOCHS = 15
ENOUGH_ACCURACY = 0.75  # on samples of two classes that one threshold tells apart


def checks(component: AnyComponent) -> list[Check]:
    """The promises of an objective, with a stand-in for whatever attack its parameters name."""
    assert isinstance(component, Objective)
    tests: list[Callable[[Objective[Any]], None]] = [
        gives_one_finite_number_with_a_gradient, is_the_same_under_the_same_draws, logs_finite_numbers,
        leaves_weights_and_modes_alone, takes_a_single_sample, trains_a_model,
    ]  # fmt: skip
    return [Check(test.__name__.replace("_", " "), partial(test, component)) for test in tests]


def gives_one_finite_number_with_a_gradient(component: Objective[Any]) -> None:
    for step in _steps(component):
        loss = _loss(component, step)
        demand(loss.dim() == 0, f"returned shape {tuple(loss.shape)}, not one number")
        demand(torch.isfinite(loss), f"the loss is {loss.item()}")
        demand(loss.requires_grad, "the loss does not depend on the model")
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in step.model.parameters() if parameter.grad is not None]
        demand(gradients and all(torch.isfinite(one).all() for one in gradients), "gradients are missing or not finite")
        demand(any(one.abs().sum() > 0 for one in gradients), "every gradient is zero")


def is_the_same_under_the_same_draws(component: Objective[Any]) -> None:
    for first, second in zip(_steps(component), _steps(component), strict=True):
        values = [_loss(component, step).item() for step in (first, second)]
        demand(values[0] == values[1], f"the same step gave {values[0]} and {values[1]}")


def logs_finite_numbers(component: Objective[Any]) -> None:
    for step in _steps(component):
        _loss(component, step)
        for name, value in step.logged.items():
            number = torch.as_tensor(value)
            demand(number.numel() == 1 and torch.isfinite(number).all(), f"logged {name!r} is no finite number")
            demand(not number.requires_grad, f"logged {name!r} still hangs on a graph")


def leaves_weights_and_modes_alone(component: Objective[Any]) -> None:
    """Buffers may move: a forward pass in training gathers batch statistics."""
    for step in _steps(component):
        before = snapshot(step.model)
        _loss(component, step)
        after = snapshot(step.model)
        demand(before[0] == after[0], "the loss changed weights, their gradients or whether they take any")
        demand(before[2] == after[2], "the loss left the model in another mode")


def takes_a_single_sample(component: Objective[Any]) -> None:
    """The last batch of an epoch may hold one; batch norm on vectors is the model's affair, not the loss's."""
    step = next(iter(_steps(component, count=1)))
    demand(torch.isfinite(_loss(component, step)), "the loss of a single sample is not finite")


def trains_a_model(component: Objective[Any]) -> None:
    """Vectors, or images where it refuses those."""
    images = next(iter(_steps(component))).x.dim() > 2
    data = learnable_data(64, (1, 8, 8) if images else (12,), 2)
    model = small_conv(1, 8, 2) if images else small_mlp(12, 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trainer = Trainer(_recipe(component, model, data))
        for number in range(1, EPOCHS + 1):
            trainer.epoch(number)
    with torch.no_grad():
        accuracy = float((model.eval()(data.x).argmax(1) == data.y).float().mean())
    demand(accuracy >= ENOUGH_ACCURACY, f"after {EPOCHS} easy epochs the accuracy is {accuracy:.2f}")


def _recipe(component: Objective[Any], model: nn.Module, data: Data) -> Recipe:
    function, params = component.load(), small_params(component)

    def objective(step: Step) -> Tensor:
        return function(step, params)

    settings = TrainingSettings(epochs=EPOCHS, batch=16, lr=1e-2)
    return Recipe(
        model=model, objective=objective, data=data, settings=settings, seeds=Seeds(0), attacks=attack_by_sign,
        unlabelled=data,
    )  # fmt: skip


def _steps(component: Objective[Any], count: int = 8) -> list[Step]:
    """Vectors and images, less what the objective refuses; one that refuses both breaks its contract."""
    grounds = [
        (small_mlp(12, 2), learnable_data(count, (12,), 2)),
        (small_mlp(12, 3), learnable_data(count, (12,), 3)),
        (small_conv(1, 8, 3), learnable_data(count, (1, 8, 8), 3)),
    ]
    taken = [(module, data) for module, data in grounds if _taken(component, _step(module.train(), data))]
    demand(taken, "refuses vectors and images")
    return [_step(module.train(), data) for module, data in taken]


def _taken(component: Objective[Any], step: Step) -> bool:
    step.model = copy.deepcopy(step.model)  # a try leaves batch statistics behind
    try:
        _loss(component, step)
    except StageFailed as refusal:
        if not unfit(refusal):
            raise
        return False
    return True


def _step(module: nn.Module, data: Data) -> Step:
    return Step(
        model=module, x=data.x, y=data.y, ids=data.ids, unlabelled=None, epoch=1, index=0, progress=0.0,
        seeds=Seeds(0), attacks=attack_by_sign, box=data.box,
    )  # fmt: skip


def _loss(component: Objective[Any], step: Step) -> Tensor:
    """The loss under a fixed global seed (dropout); with unlabelled samples where it asks for them."""
    params = small_params(component)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            return component.load()(step, params)
        except StageFailed as refusal:
            if step.unlabelled is not None or not unfit(refusal):
                raise
        step.unlabelled = Data(
            x=step.x.flip(0), y=step.y.flip(0), ids=step.ids.flip(0), classes=("a", "b", "c"), box=(0.0, 1.0)
        )
        return component.load()(step, params)


def attack_by_sign(ref: AttackRef, mode: Mode, /) -> Inner:
    """One signed step: it stands in for any attack that an objective's parameters may name."""

    def attack(module: nn.Module, x: Tensor, y: Tensor, rng: Draws, epsilon: float | Tensor | None, /) -> Tensor:
        radius = torch.as_tensor(EPSILON if epsilon is None else epsilon, dtype=x.dtype)
        with untouched(module, mode, seed=rng.seed):
            point = x.detach().clone().requires_grad_()
            with torch.enable_grad():
                loss = nn.functional.cross_entropy(module(point), y)
            (gradient,) = torch.autograd.grad(loss, point)
        return (x + radius.reshape(-1, *[1] * (x.dim() - 1)) * gradient.sign()).clamp(0, 1).detach()

    return attack
