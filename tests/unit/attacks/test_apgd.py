"""APGD against a second implementation, written from the paper and the authors' code without looking at ours."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.auto_steps import adaptive_l1, auto_steps, checkpoints, sparse_auto_steps
from advorch.kit.attack.directions import sign, unit_l2
from advorch.kit.attack.dlr import dlr
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import Recipe, ascend
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.schedules import share_of_epsilon
from advorch.kit.attack.starts import at_normal, at_random
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Norm
from advorch_builtins.attacks import apgd, pgd
from advorch_builtins.attacks.catalog import PgdParams
from advorch_builtins.attacks.catalog_apgd import ApgdParams, ApgdTargetedParams

EPSILON = {Norm.LINF: 0.1, Norm.L2: 0.2, Norm.L1: 0.3}


def victim_of(module: nn.Module, norm: Norm, **options: object) -> Victim:
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": EPSILON[norm]}
    return Victim(module, **(known | options))  # type: ignore[arg-type]


def test_checkpoints_of_the_paper() -> None:
    assert checkpoints(100)[:8] == [22, 41, 57, 70, 80, 87, 93, 99]
    for steps in (1, 2, 5, 10, 17, 40, 1000):
        looks = checkpoints(steps)
        assert looks == sorted(set(looks))
        assert looks[0] == max(int(0.22 * steps), 1)


class Slopes:
    """Loss and input gradient of the double-precision net, as the reference asks for them."""

    def __init__(self, module: nn.Module, y: Tensor, objective: Objective) -> None:
        self.module, self.y, self.objective = module, y, objective

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        point = z.clone().requires_grad_()
        value = self.objective(self.module(point), self.y)
        return value.detach(), torch.autograd.grad(value.sum(), point)[0]


def reference_apgd(
    slopes: Slopes, start: Tensor, project: Callable[[Tensor], Tensor], norm: Norm, steps: int
) -> Tensor:
    """One sample at a time, with Python's own ifs: the point of the highest loss."""
    step_size, z, before = 2 * EPSILON[norm], start, start
    value, gradient = slopes(z)
    best, best_gradient, best_value = z, gradient, value
    span, shorter, shortest = max(int(0.22 * steps), 1), max(int(0.03 * steps), 1), max(int(0.06 * steps), 1)
    values, since, at_last_check, halved_at_last = [value], 0, value, True
    for number in range(steps):
        direction = gradient.sign() if norm is Norm.LINF else gradient / gradient.norm()
        momentum, before = z - before, z
        share = 0.75 if number else 1.0
        z_1 = project(z + step_size * direction)
        z = project(z + (z_1 - z) * share + momentum * (1 - share))
        value, gradient = slopes(z)
        values.append(value)
        if value > best_value:
            best, best_gradient, best_value = z, gradient, value
        since += 1
        if since == span:
            rises = sum(bool(late > early) for early, late in zip(values[-span - 1 : -1], values[-span:], strict=True))
            halve = rises <= 0.75 * span or (not halved_at_last and bool(at_last_check >= best_value))
            if halve:
                step_size, z, gradient = step_size / 2, best, best_gradient
            halved_at_last, at_last_check = halve, best_value
            since, span = 0, max(span - shorter, shortest)
    return best


class Certain(nn.Module):
    """The net with so much added to the label's logit that nobody is fooled, and nothing else changed."""

    def __init__(self, module: nn.Module, y: Tensor) -> None:
        super().__init__()
        self.module, self.y = module, y

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.module(x)
        return logits + 6 * nn.functional.one_hot(self.y[: len(x)], logits.shape[1])


@pytest.mark.parametrize("objective", [cross_entropy, dlr])
@pytest.mark.parametrize(("norm", "steps"), [(Norm.LINF, 30), (Norm.LINF, 100), (Norm.L2, 100)])
def test_every_step_is_that_of_the_reference(norm: Norm, steps: int, objective: Objective) -> None:
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 4)).double()
    x = torch.rand(12, 6, dtype=torch.float64)
    y = module(x).argmax(1)
    victim = victim_of(Certain(module, y), norm)
    recipe = Recipe(
        steps=steps, direction=sign if norm is Norm.LINF else unit_l2, schedule=share_of_epsilon(2.0),
        start=at_random, objective=objective, advance=auto_steps(steps),
    )  # fmt: skip
    rng = Draws(3, torch.arange(12))
    found = ascend(victim, x, y, recipe, rng)
    starts = at_random(victim.ball(x), rng.fork(0))
    for row in range(12):
        one = slice(row, row + 1)
        alone = victim_of(Certain(module, y[one]), norm)
        slopes = Slopes(alone.module, y[one], objective)
        expected = reference_apgd(slopes, starts[one], alone.ball(x[one]).project, norm, steps)
        assert torch.allclose(found[one], expected, atol=1e-9)


def reference_l1(slopes: Slopes, start: Tensor, x: Tensor, project: Callable[[Tensor], Tensor], steps: int) -> Tensor:
    """The authors' branch for l1, one sample at a time, without the wider balls."""
    epsilon, size = EPSILON[Norm.L1], x.numel()
    z, step_size = start, epsilon
    value, gradient = slopes(z)
    best, best_gradient, best_value = z, gradient, value
    moved_before = int((z != x).sum())
    share, span = moved_before / size / 1.5, max(int(0.04 * steps), 1)
    for number in range(1, steps + 1):
        free = ((gradient > 0) & (z < 1)) | ((gradient < 0) & (z > 0))
        pull = torch.where(free, gradient, 0)
        ordered = pull.abs().flatten().sort().values
        least = ordered[min(max(int((1 - share) * size), 0), size - 1)]
        sparse = (pull * (pull.abs() >= least)).sign()
        z = project(z + step_size * sparse / sparse.abs().sum())
        value, gradient = slopes(z)
        if value > best_value:
            best, best_gradient, best_value = z, gradient, value
        if number % span == 0:
            moved = int((best != x).sum())
            sparser = moved / moved_before < 0.95
            share, moved_before = moved / size / 1.5, moved
            step_size = epsilon if sparser else max(step_size / 1.5, epsilon / 10)
            z, gradient = (best, best_gradient) if sparser else (z, gradient)
    return best


def test_sparse_steps_are_those_of_the_reference() -> None:
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(30, 24), nn.Tanh(), nn.Linear(24, 4)).double()
    x = (torch.rand(8, 30, dtype=torch.float64) * 1.4 - 0.2).clamp(0, 1)
    y = module(x).argmax(1)
    recipe = Recipe(
        steps=60, direction=adaptive_l1, schedule=share_of_epsilon(1.0), start=at_normal, advance=sparse_auto_steps(60)
    )
    rng = Draws(3, torch.arange(8))
    victim = victim_of(Certain(module, y), Norm.L1)
    found = ascend(victim, x, y, recipe, rng)
    starts = at_normal(victim.ball(x), rng.fork(0))
    for row in range(8):
        one = slice(row, row + 1)
        alone = victim_of(Certain(module, y[one]), Norm.L1)
        slopes = Slopes(alone.module, y[one], cross_entropy)
        expected = reference_l1(slopes, starts[one], x[one], alone.ball(x[one]).project, 60)
        assert torch.allclose(found[one], expected, atol=1e-9)


def result_of(
    perturb: Callable[..., Tensor], victim: Victim, x: Tensor, y: Tensor, params: ApgdParams | PgdParams
) -> AttackResult:
    return run_attack(perturb, victim, x, y, params, Draws(7, torch.arange(len(x))))


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2])
def test_it_finds_what_pgd_finds(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    usual = result_of(pgd.perturb, victim_of(trained, norm), x, y, PgdParams(steps=50)).success
    for perturb, params in (
        (apgd.perturb_ce, ApgdParams(steps=50)),
        (apgd.perturb_dlr, ApgdParams(steps=50)),
        (apgd.perturb_towards, ApgdTargetedParams(steps=50)),
    ):
        success = result_of(perturb, victim_of(trained, norm), x, y, params).success
        assert success.sum() >= usual.sum() - 4
        assert 40 < success.sum() < 120


@pytest.mark.parametrize(("norm", "epsilon"), [(Norm.LINF, 0.1), (Norm.L2, 1.0), (Norm.L1, 4.0)])
def test_it_climbs_higher_than_pgd(norm: Norm, epsilon: float) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(100, 40), nn.Tanh(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5))
    x = torch.rand(40, 100)
    y = module(x).argmax(1)
    victim = victim_of(module, norm, epsilon=epsilon, finish=Finish.HARDEST)
    rng = Draws(1, torch.arange(40))
    heights = [
        victim.value(z, y).value.mean()
        for z in (
            apgd.perturb_ce(victim, x, y, ApgdParams(steps=60), rng),
            pgd.perturb(victim, x, y, PgdParams(steps=60, top=0.05), rng),
        )
    ]
    assert heights[0] > heights[1]


class Scaled(nn.Module):
    def __init__(self, module: nn.Module, scale: float) -> None:
        super().__init__()
        self.module, self.scale = module, scale

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.module(x)  # type: ignore[no-any-return]


def test_ratios_do_not_see_the_scale_of_the_logits(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """At 50 times the logits every public APGD on the cross-entropy reports a robust model, since its slope is zero."""
    for perturb, params in (
        (apgd.perturb_dlr, ApgdParams(steps=20)),
        (apgd.perturb_towards, ApgdTargetedParams(steps=20)),
    ):
        plain, large, tiny = (
            result_of(perturb, victim_of(Scaled(trained, scale), Norm.LINF), *held_out, params).success
            for scale in (1.0, 50.0, 1e-3)
        )
        assert 50 < plain.sum() < 100
        assert (plain != large).sum() <= 1
        assert (plain != tiny).sum() <= 1


class Linear(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T + self.bias


def test_a_class_further_behind_is_reached_if_it_is_tried() -> None:
    """The runner-up's logit follows the label's; only the last of four classes can win."""
    weight = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.0, 4.0]])
    module = Linear(weight, torch.tensor([1.0, 0.5, 0.25, -2.4]))
    x, y = torch.full((5, 2), 0.5), torch.zeros(5, dtype=torch.int64)
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.4)
    few = result_of(apgd.perturb_towards, victim, x, y, ApgdTargetedParams(steps=20, targets=2))
    more = result_of(apgd.perturb_towards, victim, x, y, ApgdTargetedParams(steps=20, targets=9))
    assert not few.success.any()
    assert more.success.all()
    assert more.adversarial_prediction.eq(3).all()


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_few_classes(classes: int) -> None:
    """Public implementations of the ratio index a third and a fourth logit that is not there."""
    torch.manual_seed(classes)
    module = Linear(torch.randn(classes, 8), torch.zeros(classes))
    x = torch.rand(40, 8)
    y = module(x).argmax(1)
    for norm in EPSILON:
        for perturb in (apgd.perturb_ce, apgd.perturb_dlr):
            result = result_of(perturb, victim_of(module, norm, epsilon=1.5), x, y, ApgdParams(steps=20))
            assert result.success.double().mean() > 0.5
        result = result_of(
            apgd.perturb_towards, victim_of(module, norm, epsilon=1.5), x, y, ApgdTargetedParams(steps=9)
        )
        assert result.success.double().mean() > 0.5


def test_the_sparse_attack_stays_in_its_own_ball(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """It walks through larger ones, in training too."""
    x, y = held_out
    for finish in Finish:
        victim = victim_of(trained, Norm.L1, finish=finish)
        z = apgd.perturb_ce(victim, x, y, ApgdParams(steps=10), Draws(1, torch.arange(128)))
        assert victim.ball(x).contains(z).all()
        assert victim.usage(128).forwards.max() <= 16


def test_fooled_samples_cost_nothing_more(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = result_of(apgd.perturb_ce, victim_of(trained, Norm.LINF, epsilon=0.5), *held_out, ApgdParams())
    assert result.success[result.clean_correct].double().mean() > 0.95
    assert result.forwards[result.success].double().mean() < 10


@pytest.mark.parametrize("norm", list(EPSILON))
def test_the_search_may_be_in_bfloat16(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """Verdicts are in full: what is said to be fooled is, and hardly anybody is missed."""
    full, halves = (
        result_of(apgd.perturb_ce, victim_of(trained, norm), *held_out, ApgdParams(steps=30, precision=precision))
        for precision in ("fp32", "bf16")
    )
    with torch.no_grad():
        assert torch.equal(halves.success, halves.clean_correct & trained(halves.adversarial).argmax(1).ne(held_out[1]))
    assert abs(int(full.success.sum()) - int(halves.success.sum())) <= 4


def test_a_model_that_draws_is_asked_more_often(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    victim = victim_of(trained, Norm.LINF, finish=Finish.LAST)
    z = apgd.perturb_ce(victim, *held_out, ApgdParams(steps=6, draws=5), Draws(1, torch.arange(128)))
    assert victim.usage(128).backwards.eq(30).all()
    once = apgd.perturb_ce(victim, *held_out, ApgdParams(steps=6), Draws(1, torch.arange(128)))
    assert torch.allclose(z, once, atol=1e-4)
