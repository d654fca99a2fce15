"""What the minimal-budget loop remembers, who leaves it, and how a minimal budget is judged."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.inner import InnerAttack
from advorch.kit.attack.nearest import Nearest
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.shrink import Shrink, Walk, height_of, outcome, shrink, slope_of
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim
from advorch.params import Params
from advorch.settings import ThreatSettings
from advorch.testing.fakes import LinearModel
from advorch.threat import Access, Budget, Norm, ThreatModel


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def flags(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


def test_the_nearest_that_fooled_wins_and_before_that_the_highest_value() -> None:
    at = lambda value: torch.full((3, 2), value)  # noqa: E731
    best = Nearest.nothing(at(0.0))
    best = best.after_start(at(0.0), numbers(0, 0, 0), numbers(-1, -1, -1), flags(0, 0, 0))
    assert best.value.isinf().all(), "a clean sample is nobody's best effort"
    best = best.after(at(1.0), numbers(5, 5, 5), numbers(-3, -3, -3), flags(1, 0, 0))
    best = best.after(at(2.0), numbers(6, 6, 6), numbers(9, -2, -4), flags(1, 0, 0))
    assert best.z[:, 0].tolist() == [1, 2, 1]
    best = best.after(at(3.0), numbers(4, 7, 7), numbers(0.1, 0.1, 9), flags(1, 1, 0))
    best = best.after(at(4.0), numbers(1, 1, 1), numbers(9, 9, 10), flags(0, 0, 0))
    assert best.z[:, 0].tolist() == [3, 3, 4]
    assert best.distance.tolist() == [4, 7, torch.inf]
    assert best.fooled.tolist() == [True, True, False]
    assert best.within(numbers(4, 6, 9)).tolist() == [True, False, False]
    other = Nearest.nothing(at(0.0)).after(at(8.0), numbers(3, 9, 2), numbers(0, 0, 0), flags(1, 1, 1))
    assert best.joined(other).z[:, 0].tolist() == [8, 3, 8]
    swapped = best.put(torch.tensor([2, 0]), other.take(torch.tensor([0, 1])))
    assert swapped.z[:, 0].tolist() == [8, 3, 8]
    assert swapped.distance.tolist() == [9, 7, 3]


def uphill(walk: Walk, seen: Slope) -> Tensor:
    """Small steps, so that the number of steps tells the distance."""
    return walk.ball.project(walk.z + 0.02 * seen.gradient.sign())


def marching(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    recipe = Shrink(steps=20, look=slope_of(margin), move=uphill)
    return outcome(victim, x, shrink(victim, x, y, recipe, objective=margin))


def linear_victim(module: nn.Module, **options: Any) -> Victim:
    return Victim(module, **({"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.11} | options))


@pytest.fixture
def linear() -> tuple[nn.Module, Tensor, Tensor]:
    """A linear model, and samples whose distances go from nothing to a third of the box."""
    module = LinearModel(12, 2)
    torch.manual_seed(2)
    x = torch.rand(16, 12)
    return module, x, module(x).argmax(1)


def test_a_minimal_budget_is_judged_at_epsilon_and_searched_without_it(
    linear: tuple[nn.Module, Tensor, Tensor],
) -> None:
    module, x, y = linear
    exact = module.distance(x, Norm.LINF).double()
    epsilon = float(exact.median()) + 0.025
    result = run_attack(
        marching, linear_victim(module, budget=Budget.MINIMAL, epsilon=epsilon), x, y, Params(), draws(x)
    )
    fooled = result.adversarial_prediction != y
    assert fooled.sum() > result.success.sum() > 0
    assert torch.equal(result.success, fooled & (result.distance <= epsilon * (1 + 1e-6)))
    assert (result.distance[fooled] >= exact[fooled] - 1e-6).all()
    assert (result.distance[fooled] <= exact[fooled] + 0.04).all()
    assert ThreatSet.around(x, Norm.LINF, torch.inf, box=(0.0, 1.0)).contains(result.adversarial).all()


def test_under_a_fixed_budget_the_same_search_stays_in_the_ball_and_leaves_early(
    linear: tuple[nn.Module, Tensor, Tensor],
) -> None:
    module, x, y = linear
    free = run_attack(marching, linear_victim(module, budget=Budget.MINIMAL), x, y, Params(), draws(x))
    held = run_attack(marching, linear_victim(module), x, y, Params(), draws(x))
    assert held.success[free.success].all()
    assert (held.distance <= 0.11 * (1 + 1e-6)).all()
    assert (held.distance > 0).all()
    assert (held.backwards < 20)[held.success].all()
    assert held.backwards[~held.success].eq(20).all()
    assert free.backwards.eq(20).all()


def test_in_training_everybody_takes_all_steps_and_stays_in_the_ball(linear: tuple[nn.Module, Tensor, Tensor]) -> None:
    module, x, y = linear
    threat = ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF}), budget=Budget.MINIMAL)
    attack = Attack(name="marching", summary="", params=Params, load=lambda: marching, threat=threat)
    for finish in (Finish.LAST, Finish.HARDEST):
        inner = InnerAttack(attack, ThreatSettings(epsilon=0.05), box=(0.0, 1.0), finish=finish)
        z = inner(module, x, y, torch.arange(16), 0)
        assert ThreatSet.around(x, Norm.LINF, 0.05, box=(0.0, 1.0)).contains(z).all()
        assert (z != x).any(1).all()


def draws(x: Tensor) -> Draws:
    return Draws(0, torch.arange(len(x)))


def test_the_last_point_is_judged_and_the_first_is_no_best_effort(linear: tuple[nn.Module, Tensor, Tensor]) -> None:
    module, x, y = linear
    victim = linear_victim(module, budget=Budget.MINIMAL)
    leap = Shrink(
        steps=1, look=height_of(margin), move=lambda walk, seen: torch.where(seen.value[:, None] < -1, x, 1 - x)
    )
    found = shrink(victim, x, y, leap, objective=margin)
    moved = margin(module(x), y) >= -1
    assert moved.any()
    assert (~moved).any()
    assert found.fooled[moved].all(), "the mirror image has the other label"
    assert not found.fooled[~moved].any()
    assert found.value.isfinite().all()


def test_who_is_done_leaves_and_changes_nobody_else(linear: tuple[nn.Module, Tensor, Tensor]) -> None:
    module, x, y = linear
    sizes: list[int] = []

    def move(walk: Walk, seen: Slope) -> Tensor:
        sizes.append(len(walk.z))
        walk.memory["count"] = walk.memory["count"] + 1
        assert walk.memory["count"].eq(walk.number + 1).all()
        return uphill(walk, seen)

    recipe = Shrink(steps=20, look=slope_of(margin), move=move, done=lambda walk: walk.nearest.fooled)
    victim = linear_victim(module, budget=Budget.MINIMAL)
    found = shrink(victim, x, y, recipe, objective=margin, memory={"count": torch.zeros(16)})
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 16 > sizes[-1]
    alone = [
        shrink(victim, x[i : i + 1], y[i : i + 1], recipe, objective=margin, memory={"count": torch.zeros(1)})
        for i in (0, 9)
    ]
    assert torch.allclose(found.z[[0, 9]], torch.cat([one.z for one in alone]), atol=1e-6)


def test_a_confidence_asks_for_a_lead(linear: tuple[nn.Module, Tensor, Tensor]) -> None:
    module, x, y = linear
    victim = linear_victim(module, budget=Budget.MINIMAL)
    leads: Mapping[float, Tensor] = {}
    for confidence in (0.0, 0.5):
        recipe = Shrink(steps=20, look=slope_of(margin), move=uphill, confidence=confidence)
        found = shrink(victim, x, y, recipe, objective=margin)
        leads = {**leads, confidence: margin(module(found.z), y)[found.fooled]}
        assert found.fooled.any()
    assert leads[0.0].min() < 0.5 <= leads[0.5].min()


def test_class_slopes_are_the_gradients_of_leads(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples[0][:5], samples[1][:5]
    victim = linear_victim(classifier)
    classes = torch.stack([(y + 2) % 3, (y + 1) % 3], 1)
    lead, gradient, logits = victim.class_slopes(x, y, classes)
    assert torch.equal(logits, classifier(x))
    for row in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda z: classifier(z[None])[0], x[row])
        for place, other in enumerate(classes[row]):
            assert torch.allclose(gradient[row, place], jacobian[other] - jacobian[y[row]], atol=1e-6)
            assert torch.allclose(lead[row, place], logits[row, other] - logits[row, y[row]])
    usage = victim.usage(5)
    assert usage.forwards.eq(1).all()
    assert usage.backwards.eq(2).all()
    assert all(parameter.grad is None for parameter in classifier.parameters())
