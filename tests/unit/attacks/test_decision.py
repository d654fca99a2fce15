from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.decision import back_to_boundary, between, noise_that_fools
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Victim
from advorch.testing.fakes import LinearModel
from advorch.threat import Access, Budget, Norm
from advorch_builtins.attacks.catalog_black_box import BOUNDARY, HOPSKIPJUMP
from advorch_builtins.attacks.hopskipjump import Place, boundary_normal

ATTACKS = pytest.mark.parametrize(
    ("attack", "norm", "params"),
    [
        (BOUNDARY, Norm.L2, {"steps": 600}),
        (HOPSKIPJUMP, Norm.L2, {"steps": 8, "draws": 40}),
        (HOPSKIPJUMP, Norm.LINF, {"steps": 8, "draws": 40}),
    ],
    ids=["boundary", "hopskipjump-l2", "hopskipjump-linf"],
)
NORMS = pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2])


def victim_of(module: nn.Module, norm: Norm = Norm.L2, **options: Any) -> Victim:
    known = {"box": (0.0, 1.0), "epsilon": 0.1, "access": Access.LABELS, "budget": Budget.MINIMAL}
    return Victim(module, norm=norm, **(known | options))


def run(attack: Any, victim: Victim, x: Tensor, y: Tensor, seed: int = 5, **params: Any) -> AttackResult:
    return run_attack(attack.load(), victim, x, y, attack.params(**params), Draws(seed, torch.arange(len(x))))


def linear(classes: int = 2, count: int = 12) -> tuple[LinearModel, Tensor, Tensor]:
    """Samples around the middle of a wide box, labelled by the model."""
    module = LinearModel(8, classes).double()
    x = 0.5 + 0.2 * torch.randn(count, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return module, x, module(x).argmax(1)


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([[0.0, 1.0]]).expand(len(x), 2)


class Stubborn(nn.Module):
    """Always of one class; like many a model it cannot flatten a batch of nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([[1.0, 0.0]]).expand(len(x.view(len(x), -1)), 2)


@ATTACKS
def test_where_nobody_is_fooled_nothing_is_asked_about_nobody(attack: Any, norm: Norm, params: dict[str, Any]) -> None:
    x = torch.rand(4, 2, 3, generator=torch.Generator().manual_seed(0))
    result = run(attack, victim_of(Stubborn(), norm), x, torch.zeros(4, dtype=torch.int64), **params)
    assert not result.success.any()


@NORMS
def test_the_way_back_begins_far_and_ends_at_the_sample(norm: Norm) -> None:
    generator = torch.Generator().manual_seed(0)
    x, far = (torch.rand(3, 2, 4, generator=generator) for _ in range(2))
    assert torch.equal(between(norm, x, far, torch.ones(3)), far)
    assert torch.equal(between(norm, x, far, torch.zeros(3)), x)
    half = between(norm, x, far, torch.full((3,), 0.5)) - x
    order = torch.inf if norm is Norm.LINF else 2
    whole = torch.linalg.vector_norm((far - x).flatten(1), order, dim=1)
    assert torch.allclose(torch.linalg.vector_norm(half.flatten(1), order, dim=1), whole / 2)
    assert (half * (far - x) >= 0).all()


@NORMS
def test_bisection_ends_just_beyond_the_boundary(norm: Norm) -> None:
    module, x, y = linear()
    far = 1 - x
    far = torch.where((module(far).argmax(1) != y)[:, None], far, x - 3 * (x - 0.5) * 4)
    victim = victim_of(module, norm, box=None)
    fooled = victim.fooled(far, y)
    assert fooled.sum() > 6
    z = back_to_boundary(victim, x, y, far, 20)[fooled]
    assert (module(z).argmax(1) != y[fooled]).all()
    assert (module(z)[:, 0] - module(z)[:, 1]).abs().max() < 1e-4


def test_the_first_noise_that_fools_is_taken() -> None:
    """Each sample by itself; who stands after all draws has its last one and is known."""
    module, x, y = linear(3, 40)
    victim = victim_of(module, box=(-1.0, 2.0))
    z, fooled = noise_that_fools(victim, x, y, 3, Draws(2, torch.arange(40)))
    assert torch.equal(fooled, module(z).argmax(1) != y)
    assert 20 < fooled.sum() < 40
    assert victim.usage(40).queries[~fooled].eq(3).all()
    assert z.min() > -1
    assert z.max() < 2
    alone, _ = noise_that_fools(victim_of(module, box=(-1.0, 2.0)), x[7:8], y[7:8], 3, Draws(2, torch.tensor([7])))
    assert torch.equal(alone, z[7:8])


def test_without_a_box_noise_goes_further_every_time() -> None:
    module, x, _ = linear()
    distant = 100 * x
    y = module(distant).argmax(1)
    z, fooled = noise_that_fools(victim_of(module, box=None), distant, y, 30, Draws(2, torch.arange(12)))
    assert fooled.all()
    assert (z - distant).norm(dim=1).max() > 10


@NORMS
def test_labels_around_a_boundary_point_tell_its_normal(norm: Norm) -> None:
    """The sign of what a public library got wrong: every sample has its own normal, of length one."""
    module, x, y = linear()
    slope = module.weight[0] - module.weight[1]
    onto = x - (((module(x)[:, 0] - module(x)[:, 1]) / slope.square().sum())[:, None] * slope)
    victim = victim_of(module, norm, box=None)
    place = Place(victim, victim.ball_of(x, torch.inf), onto, y)
    normal = boundary_normal(place, torch.full((12,), 0.01, dtype=torch.float64), 800, Draws(1, torch.arange(12)))
    outward = torch.where((y == 1)[:, None], slope, -slope)
    assert torch.nn.functional.cosine_similarity(normal, outward).min() > 0.9
    assert torch.allclose(normal.norm(dim=1), torch.ones(12, dtype=torch.float64))
    assert victim.usage(12).queries.eq(800).all()


@ATTACKS
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_boundaries_are_reached_the_short_way(
    attack: Any, norm: Norm, params: dict[str, Any], classes: int
) -> None:
    module, x, y = linear(classes)
    result = run(attack, victim_of(module, norm, box=(-4.0, 5.0)), x, y, **params)
    exact = module.distance(x, norm)
    assert (result.adversarial_prediction != y).all()
    assert (result.distance >= exact * (1 - 1e-9)).all()
    assert float((result.distance / exact).median()) < {BOUNDARY: 1.15, HOPSKIPJUMP: 1.25}[attack]
    assert torch.equal(result.success, result.distance <= 0.1)
    assert result.backwards.sum() == 0


@ATTACKS
def test_every_sample_is_fooled_and_more_steps_bring_it_nearer(
    attack: Any, norm: Norm, params: dict[str, Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out[0][:40], held_out[1][:40]
    few = run(attack, victim_of(trained, norm), x, y, **(params | {"steps": 1}))
    many = run(attack, victim_of(trained, norm), x, y, **params)
    right = many.clean_correct
    assert (many.adversarial_prediction != y)[right].all()
    assert (many.distance <= few.distance + 1e-6)[right].all()
    assert many.distance[right].mean() < 0.85 * few.distance[right].mean()
    assert many.adversarial.min() >= 0
    assert many.adversarial.max() <= 1


@ATTACKS
def test_nobody_gives_up_with_the_clean_sample_or_a_black_one(attack: Any, norm: Norm, params: dict[str, Any]) -> None:
    """A model that cannot be fooled: what comes back is the last noise, and says so by its distance."""
    x = torch.full((4, 6), 0.5)
    result = run(attack, victim_of(Constant(), norm), x, torch.ones(4, dtype=torch.int64), **params)
    assert not result.success.any()
    assert (result.adversarial != x).all()
    assert (result.adversarial > 0).all()
    assert result.queries.eq(100).all()


@ATTACKS
def test_a_fixed_budget_ends_inside_its_ball(
    attack: Any, norm: Norm, params: dict[str, Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out[0][:40], held_out[1][:40]
    fixed = run(attack, victim_of(trained, norm, budget=Budget.FIXED, epsilon=0.15), x, y, **params)
    minimal = run(attack, victim_of(trained, norm, epsilon=0.15), x, y, **params)
    assert (fixed.distance <= 0.15 * (1 + 1e-6)).all()
    assert (fixed.success == minimal.success).double().mean() > 0.9
    assert fixed.queries[fixed.success].double().mean() < minimal.queries[fixed.success].double().mean()
    assert fixed.success.sum() > 3


@ATTACKS
def test_masked_numbers_stay(
    attack: Any, norm: Norm, params: dict[str, Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out[0][:20], held_out[1][:20]
    mask = torch.tensor([[True, True, True, True, False, False]])
    result = run(attack, victim_of(trained, norm, mask=mask), x, y, **params)
    assert torch.equal(result.adversarial[:, 4:], x[:, 4:])
    assert (result.adversarial_prediction != y)[result.clean_correct].double().mean() > 0.8


@ATTACKS
def test_alone_and_together_are_the_same(
    attack: Any, norm: Norm, params: dict[str, Any], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    exact: Callable[[Tensor], Tensor] = trained.double()
    x, y = held_out[0][:9].double(), held_out[1][:9]
    try:
        together = run(attack, victim_of(trained, norm), x, y, **(params | {"steps": params["steps"] // 4}))
        rng = Draws(5, torch.tensor([6]))
        own = attack.params(**(params | {"steps": params["steps"] // 4}))
        alone = run_attack(attack.load(), victim_of(trained, norm), x[6:7], y[6:7], own, rng)
        assert torch.allclose(alone.adversarial, together.adversarial[6:7], atol=1e-9)
        assert int(alone.queries) == int(together.queries[6])
        assert exact is trained
    finally:
        trained.float()
