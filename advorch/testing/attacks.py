"""What an attack promises, tried on models small enough to run in a moment and to know the answer."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from advorch.components import AnyComponent, Attack
from advorch.kit.attack.victim import Finish
from advorch.testing.arena import (
    RADIUS,
    Arena,
    Case,
    Counting,
    Failing,
    disturbed,
    linear_cases,
    radius_excess,
    snapshot,
)
from advorch.testing.check import Check, ContractBroken, NotApplicable, demand
from advorch.threat import Access, Budget, Goal, Norm

Test = Callable[[Arena], None]


def checks(component: AnyComponent) -> list[Check]:
    """The promises of an attack; what it refuses by a user error is left out, unless it refuses everything."""
    assert isinstance(component, Attack)
    arena = Arena(component)
    return [Check(test.__name__.replace("_", " "), partial(test, arena)) for test in TESTS]


def asks_for_no_more_than_it_declares(arena: Arena) -> None:
    for case, norm in arena.grounds():
        arena.plain(case, norm)


def stays_in_box_and_ball_to_one_ulp(arena: Arena) -> None:
    for finish in Finish:
        for case, norm in arena.grounds():
            z = arena.plain(case, norm) if finish is Finish.FOOLED else arena.attack(case, norm, finish=finish)
            _demand_legal(case.x, z, norm, case.epsilon(norm), f"{case.name}, {norm}, finish {finish}")


def keeps_shape_and_type(arena: Arena) -> None:
    for case, norm in arena.grounds():
        z = arena.plain(case, norm)
        demand(z.shape == case.x.shape, f"{case.name}: returned shape {tuple(z.shape)} for {tuple(case.x.shape)}")
        demand(z.dtype == case.x.dtype, f"{case.name}: returned {z.dtype} for {case.x.dtype}")
        demand(not z.requires_grad, f"{case.name}: what is returned still hangs on a graph")


def works_in_double_precision(arena: Arena) -> None:
    for case, norm in arena.grounds():
        z = arena.plain(case.double(), norm)
        demand(z.dtype == torch.float64, f"{case.name}: returned {z.dtype} for float64")


def moves_every_sample(arena: Arena) -> None:
    for case, norm in arena.grounds():
        moved = (arena.plain(case, norm) != case.x).flatten(1).any(1)
        enough = moved.any() if norm is Norm.UNBOUNDED else moved.all()
        demand(enough, f"{case.name}, {norm}: {int((~moved).sum())} of {len(moved)} samples came back as they were")


def moves_samples_that_are_exactly_zeros_and_ones(arena: Arena) -> None:
    for case, norm in arena.grounds():
        binary = case.with_samples((case.x > 0.5).to(case.x.dtype))
        z = arena.attack(binary, norm)
        _demand_legal(binary.x, z, norm, binary.epsilon(norm), f"{case.name} of zeros and ones, {norm}")
        moved = (z != binary.x).flatten(1).any(1)
        enough = moved.any() if norm is Norm.UNBOUNDED else moved.all()
        demand(enough, f"{case.name}, {norm}: samples at the border of the box are frozen")


def returns_the_clean_sample_at_epsilon_zero(arena: Arena) -> None:
    for case, norm in arena.grounds(bounded=True):
        z = arena.attack(case, norm, epsilon=0.0)
        demand(torch.equal(z, case.x), f"{case.name}, {norm}: epsilon 0 moved the samples")


def obeys_an_epsilon_for_each_sample(arena: Arena) -> None:
    for case, norm in arena.grounds(bounded=True):
        epsilon = torch.linspace(0, case.epsilon(norm), len(case.x))
        z = arena.attack(case, norm, epsilon=epsilon)
        _demand_legal(case.x, z, norm, epsilon, f"{case.name}, {norm}, a radius each")


def draws_the_same_twice(arena: Arena) -> None:
    """Whatever the global random state: random numbers come from the draws that it is given."""
    for case, norm in arena.grounds():
        first, second = arena.plain(case, norm), arena.attack(case, norm, fresh=1)
        demand(torch.equal(first, second), f"{case.name}, {norm}: the same draws gave two results")


def attacks_a_sample_alone_as_in_a_batch(arena: Arena) -> None:
    for case, norm in arena.grounds():
        exact = case.double()  # so that sums over other batches differ too little to change a sign
        together = arena.plain(exact, norm)
        alone = torch.cat([arena.attack(exact.take(row), norm) for row in (0, len(exact.x) - 1)])
        apart = (alone - together[[0, -1]]).abs().max()
        demand(
            apart < 1e-4, f"{case.name}, {norm}: alone a sample ends {float(apart):.3g} from where it does in a batch"
        )


def keeps_to_the_batch_if_it_says_so(arena: Arena) -> None:
    """A pooled attack is given more samples than the model takes at once, and finds what it finds for all at once."""
    if not arena.component.pooled:
        raise NotApplicable("is given no more samples than the model takes")
    for case, norm in arena.grounds():
        exact = case.double()
        counting = Counting(exact.module)
        pooled = arena.attack(exact.with_module(counting), norm, batch=3)
        demand(counting.most <= 3, f"{case.name}, {norm}: {counting.most} rows at once where the batch is 3")
        apart = (pooled - arena.plain(exact, norm)).abs().max()
        demand(apart < 1e-9, f"{case.name}, {norm}: {float(apart):.3g} apart from what is found without a batch")


def is_deterministic_unless_declared_stochastic(arena: Arena) -> None:
    if arena.component.threat.stochastic:
        raise NotApplicable("declared stochastic")
    for case, norm in arena.grounds():
        first, second = arena.plain(case, norm), arena.attack(case, norm, seed=1)
        demand(torch.equal(first, second), f"{case.name}, {norm}: declare `stochastic=True` in the ThreatModel")


def leaves_model_and_process_as_they_were(arena: Arena) -> None:
    for case, norm in arena.grounds():
        module = disturbed(case.module)
        before = snapshot(module)
        arena.attack(case.with_module(module), norm)
        demand(before == snapshot(module), f"{case.name}, {norm}: the model or the random state has changed")


def leaves_no_trace_when_the_model_fails(arena: Arena) -> None:
    for case, norm in arena.grounds():
        for calls in (0, 1):
            module = Failing(disturbed(case.module), calls)
            before = snapshot(module)
            _expect_failure(arena, case.with_module(module), norm, module)
            demand(before == snapshot(module), f"{case.name}, {norm}: a failing model is left changed")


def pursues_its_target(arena: Arena) -> None:
    threat = arena.component.threat
    if Goal.TARGETED not in threat.goals:
        raise NotApplicable("declares no targeted goal")
    if threat.access not in (Access.GRADIENTS, Access.SCORES):
        raise NotApplicable("sees too little for a promise of progress")
    for case, norm in arena.grounds():
        target = (case.y + 1) % case.classes
        z = arena.attack(case, norm, target=target)
        gained = _log_probability(case.module, z, target) - _log_probability(case.module, case.x, target)
        demand(gained.mean() > 0, f"{case.name}, {norm}: the target became less likely, by {float(-gained.mean()):.3g}")


def crosses_a_linear_boundary_within_reach(arena: Arena) -> None:
    """With two classes every gradient of the label points there, and three times the known distance is enough."""
    threat = arena.component.threat
    if threat.access is not Access.GRADIENTS or Goal.TARGETED not in threat.goals:
        raise NotApplicable("promised by attacks that follow the gradient of a label, targeted ones included")
    for case, norm in arena.grounds(among=linear_cases()[:1], norms={Norm.LINF, Norm.L2, Norm.L1}):
        epsilon = 3 * case.distance(norm)
        z = arena.attack(case, norm, epsilon=epsilon, full=True)
        fooled = case.module(z).argmax(1) != case.y
        demand(fooled.all(), f"{case.name}, {norm}: {int((~fooled).sum())} of {len(fooled)} stand at 3x their distance")


def finds_the_shortest_way_over_a_linear_boundary(arena: Arena) -> None:
    threat = arena.component.threat
    if threat.budget is not Budget.MINIMAL or threat.access is not Access.GRADIENTS:
        raise NotApplicable("promised by gradient attacks that look for the smallest perturbation")
    for case, norm in arena.grounds(among=linear_cases(), norms={Norm.LINF, Norm.L2, Norm.L1}):
        exact = case.distance(norm)
        z = arena.attack(case, norm, epsilon=10 * exact, full=True, budget=Budget.MINIMAL)
        fooled = case.module(z).argmax(1) != case.y
        demand(fooled.all(), f"{case.name}, {norm}: nothing found for {int((~fooled).sum())} of {len(fooled)} samples")
        far = radius_excess(case.x, z, norm, torch.zeros(len(z))) / exact
        usual, worst = float(far.median()), float(far.max())
        demand(
            usual < 1.2 and worst < 2,
            f"{case.name}, {norm}: {usual:.3g}, at most {worst:.3g}, times the exact distance",
        )


def looks_beyond_epsilon_for_the_smallest_perturbation(arena: Arena) -> None:
    """A minimal budget is judged at epsilon, and searched without it; under a fixed one all checks above hold."""
    if arena.component.threat.budget is not Budget.MINIMAL:
        raise NotApplicable("spends a given epsilon")
    for case, norm in arena.grounds(bounded=True):
        z = arena.attack(case, norm, epsilon=1e-6, budget=Budget.MINIMAL)
        _demand_legal(case.x, z, norm, torch.inf, f"{case.name}, {norm}, a minimal budget")
        beyond = radius_excess(case.x, z, norm, 1e-6) > 0
        demand(beyond.all(), f"{case.name}, {norm}: {int((~beyond).sum())} samples are still held within epsilon")


TESTS: tuple[Test, ...] = (
    asks_for_no_more_than_it_declares,
    keeps_shape_and_type,
    works_in_double_precision,
    stays_in_box_and_ball_to_one_ulp,
    obeys_an_epsilon_for_each_sample,
    returns_the_clean_sample_at_epsilon_zero,
    moves_every_sample,
    moves_samples_that_are_exactly_zeros_and_ones,
    draws_the_same_twice,
    is_deterministic_unless_declared_stochastic,
    attacks_a_sample_alone_as_in_a_batch,
    keeps_to_the_batch_if_it_says_so,
    leaves_model_and_process_as_they_were,
    leaves_no_trace_when_the_model_fails,
    pursues_its_target,
    crosses_a_linear_boundary_within_reach,
    finds_the_shortest_way_over_a_linear_boundary,
    looks_beyond_epsilon_for_the_smallest_perturbation,
)


def _demand_legal(x: Tensor, z: Tensor, norm: Norm, epsilon: float | Tensor, where: str) -> None:
    demand(torch.isfinite(z).all(), f"{where}: not every number is finite")
    demand(bool((z >= 0).all() and (z <= 1).all()), f"{where}: the box is left")
    if norm is not Norm.UNBOUNDED:
        worst = float(radius_excess(x, z, norm, epsilon).max())
        demand(worst <= 0, f"{where}: epsilon is exceeded by {worst:.3g} beyond one unit in the last place")


def _log_probability(module: nn.Module, x: Tensor, label: Tensor) -> Tensor:
    training = module.training
    with torch.no_grad():
        logits = module.eval()(x)
    module.train(training)
    chosen: Tensor = logits.log_softmax(1).gather(1, label[:, None]).squeeze(1)
    return chosen


def _expect_failure(arena: Arena, case: Case, norm: Norm, module: Failing) -> None:
    try:
        arena.attack(case, norm)
    except Failing.Failed:
        return
    if module.failed:
        raise ContractBroken(f"{case.name}, {norm}: the model's error was swallowed")


__all__ = ["RADIUS", "TESTS", "checks"]
