from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from advorch.kit.attack.directions import corner_l1, sign, sparse_l1, unit_l2
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend, exact_slope
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.schedules import constant, share_of_epsilon
from advorch.kit.attack.starts import at_clean, at_random
from advorch.kit.attack.step import Step
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Norm

DIRECTIONS = {Norm.LINF: sign, Norm.L2: unit_l2, Norm.L1: sparse_l1(0.2)}
BUDGET = {Norm.LINF: 0.08, Norm.L2: 0.2, Norm.L1: 0.4}
IDS = torch.arange(64)


def victim_of(module: nn.Module, norm: Norm = Norm.LINF, **options: Any) -> Victim:
    return Victim(module, **({"box": (0.0, 1.0), "norm": norm, "epsilon": BUDGET[norm]} | options))


def recipe_of(norm: Norm = Norm.LINF, **parts: Any) -> Recipe:
    known = {"steps": 5, "direction": DIRECTIONS[norm], "schedule": share_of_epsilon(0.5), "start": at_random}
    return Recipe(**(known | parts))


@pytest.mark.parametrize("norm", list(DIRECTIONS))
@pytest.mark.parametrize("finish", list(Finish))
def test_one_step_is_enough_to_move(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], norm: Norm, finish: Finish
) -> None:
    """secml-torch and adversarial-library never look at the last iterate: with one step they return the input."""
    x, y = samples
    recipe = recipe_of(norm, steps=1, start=at_clean, schedule=share_of_epsilon(1.0))
    victim = victim_of(classifier, norm, finish=finish)
    z = ascend(victim, x, y, recipe, Draws(1, IDS))
    assert (z != x).flatten(1).any(1).all()
    assert victim.ball(x).contains(z).all()


def test_the_last_point_is_judged(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """Epsilon in one step from the sample: the only point after the start is the edge, and it is what comes back."""
    x, y = samples
    recipe = recipe_of(steps=1, start=at_clean, schedule=share_of_epsilon(1.0))
    victim = victim_of(classifier, epsilon=0.3)
    z = ascend(victim, x, y, recipe, Draws(1, IDS))
    edge = victim.ball(x).project(x + 0.3 * victim.gradient(x, y).sign())
    assert torch.equal(z, edge)
    assert 0 < victim.fooled(z, y).sum() < 64


@pytest.mark.parametrize("norm", list(DIRECTIONS))
@pytest.mark.parametrize("finish", list(Finish))
def test_a_sample_is_attacked_the_same_in_any_company(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], norm: Norm, finish: Finish
) -> None:
    module, x, y = classifier.double(), samples[0].double(), samples[1]
    recipe, rng = recipe_of(norm, restarts=2), Draws(1, IDS)
    together = ascend(victim_of(module, norm, finish=finish), x, y, recipe, rng)
    for row in range(0, 64, 9):
        one = torch.tensor([row])
        alone = ascend(victim_of(module, norm, finish=finish), x[one], y[one], recipe, rng.take(one))
        assert torch.allclose(together[one], alone, atol=1e-9)


def test_who_falls_leaves_and_changes_nobody_else(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """Among samples that fall at different steps and runs, each result is the first fooling point of its own path."""
    module, x, y = classifier.double(), samples[0].double(), samples[1]
    victim, recipe = victim_of(module, epsilon=0.12), recipe_of(schedule=constant(0.02), steps=8)
    z = ascend(victim, x, y, recipe, Draws(1, IDS))
    ball, path = victim.ball(x), [at_random(victim.ball(x), Draws(1, IDS).fork(0))]
    for _ in range(8):
        path.append(ball.project(path[-1] + 0.02 * victim.gradient(path[-1], y).sign()))
    fooled = torch.stack([victim.fooled(point, y) for point in path])
    values = torch.stack([victim.value(point, y).value for point in path[1:]])
    assert 0 < fooled.any(0).sum() < 64
    assert len(set(fooled.int().argmax(0).tolist())) > 3
    for row in range(64):
        best = int(fooled[:, row].int().argmax()) if fooled[:, row].any() else 1 + int(values[:, row].argmax())
        assert torch.allclose(z[row], path[best][row], atol=1e-12)


def test_fooled_samples_cost_nothing_more(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    victim = victim_of(classifier, epsilon=1.0)
    ascend(victim, x, y, recipe_of(steps=40, restarts=3, schedule=share_of_epsilon(0.05)), Draws(1, IDS))
    forwards = victim.usage(64).forwards
    assert forwards.min() <= 3
    fallen = victim_of(classifier, epsilon=1.0)
    z = ascend(fallen, x, y, recipe_of(steps=40, schedule=share_of_epsilon(0.05)), Draws(1, IDS))
    standing = ~victim_of(classifier).fooled(z, y)
    assert fallen.usage(64).forwards[standing].eq(41).all()
    assert fallen.usage(64).forwards[~standing].le(41).all()


def test_failures_are_best_efforts(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    victim = victim_of(classifier, epsilon=1e-3)
    for start in (at_clean, at_random):
        z = ascend(victim, x, y, recipe_of(start=start), Draws(1, IDS))
        standing = ~victim.fooled(z, y)
        assert standing.sum() > 32
        assert (z != x).any(1)[standing].all()
        assert (victim.value(z, y).value > victim.value(x, y).value)[standing].all()


@pytest.mark.parametrize("norm", list(DIRECTIONS))
@pytest.mark.parametrize("more", [{"steps": 12}, {"restarts": 4}])
def test_more_is_never_weaker(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], norm: Norm, more: dict[str, int]
) -> None:
    x, y = samples
    alpha = constant(BUDGET[norm] / 4)
    weak, strong = recipe_of(norm, schedule=alpha, steps=3), recipe_of(norm, **({"schedule": alpha, "steps": 3} | more))
    victim = victim_of(classifier, norm)
    before = victim.fooled(ascend(victim, x, y, weak, Draws(1, IDS)), y)
    after = victim.fooled(ascend(victim, x, y, strong, Draws(1, IDS)), y)
    assert (after | ~before).all()
    assert after.sum() > before.sum()


def test_hardest_is_the_highest_of_all_points(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    recipe = recipe_of(steps=4, restarts=3)
    victim = victim_of(classifier, finish=Finish.HARDEST)
    hardest = victim.value(ascend(victim, x, y, recipe, Draws(1, IDS)), y).value
    last = victim_of(classifier, finish=Finish.LAST)
    for restarts in (1, 2, 3):
        z = ascend(last, x, y, recipe_of(steps=4, restarts=restarts), Draws(1, IDS))
        assert (hardest >= victim.value(z, y).value - 1e-6).all()


def test_last_is_the_plain_loop(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    victim = victim_of(classifier, finish=Finish.LAST)
    z = ascend(victim, x, y, recipe_of(start=at_clean, steps=3, schedule=constant(0.03)), Draws(1, IDS))
    plain = x
    for _ in range(3):
        point = plain.clone().requires_grad_()
        gradient = torch.autograd.grad(nn.functional.cross_entropy(classifier(point), y, reduction="sum"), point)[0]
        plain = (plain + 0.03 * gradient.sign()).clamp(x - 0.08, x + 0.08).clamp(0, 1)
    assert torch.allclose(z, plain, atol=1e-6)
    assert victim.usage(64).forwards.eq(3).all()


class Ops(TorchDispatchMode):
    """Counts what would make a device wait for the host."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name in {"index", "index_put_"} and any(
            part is not None and part.dtype == torch.bool for part in (args[1] if len(args) > 1 else [])
        )
        if masked or name in {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique"}:
            self.waits[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("finish", [Finish.LAST, Finish.HARDEST])
def test_training_never_waits_for_the_device(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], finish: Finish
) -> None:
    x, y = samples
    with Ops() as ops:
        ascend(victim_of(classifier, finish=finish), x, y, recipe_of(steps=4, restarts=2), Draws(1, IDS))
    assert not ops.waits
    with Ops() as ops:
        ascend(victim_of(classifier), x, y, recipe_of(steps=4), Draws(1, IDS))
    assert ops.waits


def test_parts_remember_by_sample(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """Momentum is a direction with a memory; its rows must follow their samples when others leave."""
    module, x, y = classifier.double(), samples[0].double(), samples[1]

    def momentum(step: Step) -> Tensor:
        fresh = step.gradient / step.gradient.abs().sum(1, keepdim=True)
        step.memory["velocity"] = step.memory.get("velocity", torch.zeros_like(fresh)) + fresh
        return step.memory["velocity"].sign()

    recipe = recipe_of(direction=momentum, steps=8, schedule=constant(0.02))
    together = ascend(victim_of(module, epsilon=0.12), x, y, recipe, Draws(1, IDS))
    for row in (0, 20, 63):
        one = torch.tensor([row])
        alone = ascend(victim_of(module, epsilon=0.12), x[one], y[one], recipe, Draws(1, IDS[one]))
        assert torch.allclose(together[one], alone, atol=1e-9)


def test_an_estimator_may_draw(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """The mean slope over noise, as expectation over transformation takes it: fresh at every step, the same alone."""
    module, x, y = classifier.double(), samples[0].double(), samples[1]
    drawn: list[Tensor] = []

    def noisy(victim: Victim, z: Tensor, y: Tensor, objective: Any, rng: Draws) -> Any:
        noise = 0.05 * rng.normal(z.shape[1:], like=z)
        drawn.append(noise)
        return exact_slope(victim, z + noise, y, objective, rng)

    recipe = recipe_of(slope=noisy, steps=3)
    victim = victim_of(module, epsilon=0.02, finish=Finish.LAST)
    together = ascend(victim, x, y, recipe, Draws(1, IDS))
    assert not torch.equal(drawn[0], drawn[1])
    alone = ascend(victim_of(module, epsilon=0.02), x[5:6], y[5:6], recipe, Draws(1, IDS[5:6]))
    assert victim.ball(x).contains(together).all()
    assert torch.allclose(drawn[0][5], drawn[3][0])
    assert alone.shape == (1, 12)


def test_objective_is_a_part(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    victim = victim_of(classifier, epsilon=0.01, finish=Finish.HARDEST)
    z = ascend(victim, x, y, recipe_of(objective=margin), Draws(1, IDS))
    assert (victim.value(z, y, margin).value > victim.value(x, y, margin).value).all()


def step_at(gradient: Tensor, x: Tensor, norm: Norm, epsilon: float) -> Step:
    ball = Victim(nn.Identity(), box=(0.0, 1.0), norm=norm, epsilon=epsilon).ball(x)
    return Step(number=0, z=x, value=x[:, 0], gradient=gradient, ball=ball, rng=Draws(0, IDS[: len(x)]), memory={})


def test_directions_have_length_one_or_none() -> None:
    x = torch.full((3, 2, 5), 0.5)
    gradient = (
        torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1.0, 1e-30, 0.0])[:, None, None]
    )
    for norm, direction, order in ((Norm.L2, unit_l2, 2), (Norm.L1, sparse_l1(0.3), 1), (Norm.L1, corner_l1, 1)):
        step = direction(step_at(gradient, x, norm, 0.4)).flatten(1)
        assert torch.linalg.vector_norm(step, order, dim=1).tolist() == pytest.approx([1, 1, 0], abs=1e-5)
        assert ((step * gradient.flatten(1)).sum(1) >= 0).all()
    assert sign(step_at(gradient, x, Norm.LINF, 0.4)).abs().flatten(1).amax(1).tolist() == [1, 1, 0]


def test_l1_steps_take_the_strongest_numbers_that_can_move() -> None:
    x = torch.tensor([[1.0, 0.0, 0.9, 0.5]])
    gradient = torch.tensor([[9.0, -8.0, 3.0, -2.0]])
    assert sparse_l1(0.25)(step_at(gradient, x, Norm.L1, 0.4)).tolist() == [[0, 0, 1, 0]]
    assert sparse_l1(0.5)(step_at(gradient, x, Norm.L1, 0.4)).tolist() == [[0, 0, 0.5, -0.5]]
    assert corner_l1(step_at(gradient, x, Norm.L1, 0.4)).tolist()[0] == pytest.approx([0, 0, 0.25, -0.75])
