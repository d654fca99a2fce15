"""A curve over epsilon in one run: the same verdicts as one run for each, made monotone, at less cost."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, Campaign, run_attack
from advorch.kit.attack.victim import Victim
from advorch.params import Params
from advorch.threat import Budget, Norm

EPSILONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45)
IDS = torch.arange(64)


def sign_step(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    ball = victim.ball(x)
    return ball.project(x + ball.epsilon[:, None] * victim.gradient(x, y).sign())


def overshooting(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    """Fools at small epsilons what it misses at large ones."""
    ball = victim.ball(x)
    way = victim.gradient(x, y).sign()
    return ball.project(x + (ball.epsilon * torch.where(ball.epsilon > 0.25, 0.1, 1.0))[:, None] * way)


def run(module: nn.Module, x: Tensor, y: Tensor, perturb: Any = sign_step, **options: Any) -> AttackResult:
    campaign = Campaign(epsilons=options.pop("epsilons", ()), levels=options.pop("levels", None))
    victim = Victim(module, **({"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": EPSILONS[-1]} | options))
    return run_attack(perturb, victim, x, y, Params(), Draws(1, IDS[: len(x)]), campaign=campaign)


@pytest.mark.parametrize("perturb", [sign_step, overshooting])
@pytest.mark.parametrize("batch", [None, 10])
def test_a_curve_is_that_of_separate_runs_made_monotone(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], perturb: Any, batch: int | None
) -> None:
    x, y = samples
    labels = torch.where(IDS % 8 == 0, (y + 1) % 3, y)
    curve = run(classifier, x, labels, perturb, epsilons=EPSILONS, batch=batch)
    apart = [run(classifier, x, labels, perturb, epsilon=epsilon) for epsilon in EPSILONS]
    fallen = torch.zeros(64, dtype=torch.bool)
    for epsilon, alone in zip(EPSILONS, apart, strict=True):
        fallen = fallen | alone.success
        assert torch.equal(curve.clean_correct & (curve.smallest_epsilon <= epsilon), fallen)
    assert 5 < fallen.sum() < 56
    assert torch.equal(curve.success, fallen)
    assert torch.equal(curve.smallest_epsilon == 0, ~curve.clean_correct)
    assert sum(alone.forwards.sum() for alone in apart) > 1.3 * curve.forwards.sum()
    with torch.no_grad():
        assert torch.equal(classifier(curve.adversarial).argmax(1), curve.adversarial_prediction)


def test_an_adversarial_lies_within_the_epsilon_at_which_it_fell(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    curve = run(classifier, *samples, epsilons=EPSILONS)
    assert (curve.distance[curve.success] <= curve.smallest_epsilon[curve.success] + 1e-7).all()
    standing = ~curve.success
    assert torch.equal(curve.adversarial[standing], run(classifier, *samples).adversarial[standing])


def test_at_zero_nobody_is_asked(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    labels = torch.where(IDS % 8 == 0, (samples[1] + 1) % 3, samples[1])
    curve = run(classifier, samples[0], labels, epsilons=(0.0,), epsilon=0.0)
    assert curve.queries.eq(0).all()
    assert torch.equal(curve.smallest_epsilon > 0, curve.clean_correct)


def test_a_minimal_budget_tells_the_whole_curve_at_once(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    calls = 0

    def march(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        nonlocal calls
        calls += 1
        way, z = victim.gradient(x, y).sign(), x
        for length in torch.linspace(0.02, 0.8, 40).tolist():
            onward = (x + length * way).clamp(0, 1)
            z = torch.where(victim.fooled(z, y)[:, None], z, onward)
        return z

    known = {"budget": Budget.MINIMAL, "epsilon": 0.2}
    curve = run(classifier, *samples, march, epsilons=(0.1, 0.2), **known)
    plain = run(classifier, *samples, march, **known)
    assert calls == 2
    assert torch.equal(curve.smallest_epsilon, plain.smallest_epsilon)
    found = curve.adversarial_prediction != samples[1]
    assert torch.equal(curve.smallest_epsilon.isfinite(), found)
    assert torch.equal(curve.smallest_epsilon <= 0.2, curve.success)
    beyond = found & ~curve.success
    assert beyond.any()
    assert torch.equal(curve.smallest_epsilon[beyond], curve.distance[beyond])


def test_both_verdicts_of_rounding_are_told(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    """On a coarse grid some who were fooled are not; the curve goes on with them."""
    x = (samples[0] * 8).round() / 8
    with torch.no_grad():
        y = classifier(x).argmax(1)
    plain, rounded = run(classifier, x, y, epsilon=0.2), run(classifier, x, y, epsilon=0.2, levels=8)
    assert torch.equal(rounded.unrounded_success, plain.success)
    assert torch.equal(plain.unrounded_success, plain.success)
    assert ((rounded.adversarial * 8 - (rounded.adversarial * 8).round()).abs() < 1e-5).all()
    with torch.no_grad():
        assert torch.equal(rounded.success, classifier(rounded.adversarial).argmax(1) != y)
    assert (rounded.success != plain.success).any()
    curve = run(classifier, x, y, epsilon=0.3, epsilons=(0.1, 0.2, 0.3), levels=8)
    assert (curve.success & ~curve.unrounded_success).sum() == 0 or curve.unrounded_success.any()
    assert torch.equal(curve.smallest_epsilon.isfinite(), curve.success)


def test_an_attack_that_counts_no_steps_has_no_first_step(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    result = run(classifier, *samples)
    assert result.success.any()
    assert result.first_step.eq(-1).all()
