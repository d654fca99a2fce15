"""Replayed batches against a loop written by hand, and the penalty on a curved loss."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.training.parts import Parts
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.strength import Strength
from advorch_builtins.parts.elle import Elle, elle, nonlinearity
from advorch_builtins.parts.free import Free, free
from advorch_builtins.parts.params import ElleParams, FreeParams, SamParams
from advorch_builtins.parts.sharpness import sam


def by_hand(model: nn.Module, batches: list[tuple[Tensor, Tensor]], epsilon: float, replays: int) -> Tensor:
    """The authors' loop, with plain SGD: delta has the size of a full batch and outlives it."""
    delta = torch.zeros_like(batches[0][0])
    for x, y in batches:
        for _ in range(replays):
            noise = delta[: len(x)].clone().requires_grad_()
            point = (x + noise).clamp(0, 1)
            weights = list(model.parameters())
            *slopes, pull = torch.autograd.grad(functional.cross_entropy(model(point), y), [*weights, noise])
            delta[: len(x)] = (noise.detach() + epsilon * pull.sign()).clamp(-epsilon, epsilon)
            with torch.no_grad():
                for weight, slope in zip(weights, slopes, strict=True):
                    weight.sub_(0.1 * slope)
    return delta


@pytest.mark.parametrize("replays", [1, 3])
def test_replays_are_the_authors_loop(workshop: Any, replays: int) -> None:
    """Ten samples in batches of four, away from the box: delta goes over to the next batch, and the last is smaller."""
    data = workshop.cloud(10)
    data.x.mul_(0.5).add_(0.25)
    model = workshop.smooth()
    trainer = workshop.trainer(
        free, FreeParams(epsilon=0.1, replays=replays), copy.deepcopy(model), data=data, batch=4, epochs=1
    )
    order = [trainer._sampler.batch(1, position) for position in range(3)]
    trainer.epoch(1)
    delta = by_hand(model, [(data.x[rows], data.y[rows]) for rows in order], 0.1, replays)
    for one, other in zip(trainer.model.parameters(), model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    assert torch.allclose(trainer.parts.descent.state()["delta"], delta, atol=1e-12)


def test_the_perturbation_stays_in_box_and_ball(workshop: Any) -> None:
    data = workshop.cloud(12)
    data.x.round_()
    seen = []

    def objective(step: Any) -> Tensor:
        seen.append((step.x.detach() - data.x[step.ids]).abs().max())
        assert float(step.x.detach().min()) >= 0
        assert float(step.x.detach().max()) <= 1
        loss: Tensor = workshop.plain(step)
        return loss

    trainer = workshop.trainer(free, FreeParams(epsilon=0.2, replays=4), data=data, objective=objective, batch=6)
    trainer.epoch(1)
    assert float(seen[0]) == 0
    assert 0.19 < float(torch.stack(seen).max()) <= 0.2 + 1e-12


def test_each_replay_is_an_update_and_leaves_no_gradient_on_the_samples(workshop: Any) -> None:
    class Counting:
        def __init__(self) -> None:
            self.model, self.calls = workshop.smooth(), ""

        def slope(self, step: Any) -> Tensor:
            self.calls += "s"
            loss: Tensor = workshop.plain(step)
            loss.backward()
            return loss.detach()

        def clear(self) -> None:
            self.calls += "c"

        def advance(self) -> None:
            self.calls += "a"

    turn = Counting()
    step = workshop.step(turn.model)
    Free(FreeParams(epsilon=0.1, replays=3), Ranks()).update(step, turn)
    assert turn.calls == "csa" * 3
    assert step.x.grad is None
    assert step.right is not None


def wrong_by(lead: float) -> nn.Module:
    """Sure of the second class by that much and a linear function of the sample."""
    model = nn.Linear(3, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 3.0]]))
        model.bias.copy_(torch.tensor([0.0, lead]))
    return model


def test_a_loss_that_is_straight_in_the_ball_costs_nothing(workshop: Any) -> None:
    """Softplus of the log-odds: straight far above zero, curved near it."""
    data = workshop.cloud()
    data.y.zero_()
    errors = [float(nonlinearity(workshop.step(wrong_by(lead), data), 0.3).detach()) for lead in (60.0, 0.0)]
    assert errors[0] < 1e-24
    assert errors[1] > 1e-6


def test_the_error_is_that_of_the_chord(workshop: Any) -> None:
    step = workshop.step(workshop.smooth())
    points: list[Tensor] = []
    handle = step.model.register_forward_hook(lambda part, args, output: points.append(args[0]))
    found = nonlinearity(step, 0.2)
    handle.remove()
    first, second, between = points[0].chunk(3)
    t = step.draws("elle").fork("between").uniform((), like=step.x)
    assert torch.allclose(between, (1 - t[:, None]) * first + t[:, None] * second)
    assert float((points[0] - step.x.repeat(3, 1)).abs().max()) <= 0.2 + 1e-12
    one, other, middle = (
        functional.cross_entropy(step.model(point), step.y, reduction="none") for point in (first, second, between)
    )
    assert float(found.detach()) == pytest.approx(
        float(((middle - (1 - t) * one - t * other) ** 2).mean().detach()), rel=1e-10
    )


def test_the_penalty_trains_and_touches_no_statistics(workshop: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double().train()
    loss = Elle(ElleParams.parse({"lambda": 10, "adaptive": False, "epsilon": 0.3}), Ranks())(workshop.step(model))
    loss.backward()
    assert float(model[0].weight.grad.abs().sum()) > 0
    assert int(model[1].num_batches_tracked) == 0


def test_the_adaptive_weight_leaps_with_the_error_and_decays_after_it() -> None:
    elle = Elle(ElleParams.parse({"lambda": 100, "decay": 0.5}), Ranks())
    weights = []
    for error in (1.0, 1.1, 0.9, 1.0, 50.0, 1.0, 1.0):
        elle._adapt(error)
        weights.append(elle._weight)
    assert weights[4:] == [100.0, 50.0, 25.0]
    assert weights[3] == 25  # 1.1 leapt too, above a mean of one without any deviation
    again = Elle(ElleParams.parse({"lambda": 100, "decay": 0.5}), Ranks())
    again.restore(elle.state())
    for copy_ in (elle, again):
        copy_._adapt(1.0)
    assert again._weight == elle._weight == 12.5


def test_the_ball_grows_with_the_warmup(workshop: Any) -> None:
    step = workshop.step(workshop.smooth())
    elle = Elle(ElleParams.parse({"lambda": 1, "adaptive": False, "epsilon": 0.4}), Ranks())
    whole = float(elle(step).detach())
    step.strength = Strength(epsilon=0.1)
    assert float(elle(step).detach()) < whole / 100


def test_the_weight_of_elle_moves_once_a_step_however_often_the_loss_is_asked(workshop: Any) -> None:
    """With SAM a step asks twice; its mean is over steps, and both halves have the same lambda."""

    def both(site: Any, params: ElleParams) -> Parts:
        return elle(site, params).joined(sam(site, SamParams(rho=0.1)))

    params = ElleParams.parse({"epsilon": 0.2, "lambda": 10.0})
    trainer = workshop.trainer(both, params, batch=8)
    trainer.epoch(1)
    assert trainer.parts.penalties[0]._count == 3
