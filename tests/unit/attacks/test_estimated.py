from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack import estimators
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.estimators import Noise, antithetic, normal_noise, sign_noise
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Victim
from advorch.threat import Access, Norm
from advorch_builtins.attacks.catalog_black_box import NES, SPSA

NOISES = pytest.mark.parametrize("noise", [normal_noise, sign_noise])
ATTACKS = pytest.mark.parametrize(
    ("attack", "norm"), [(SPSA, Norm.LINF), (NES, Norm.LINF), (NES, Norm.L2)], ids=["spsa", "nes-linf", "nes-l2"]
)
EPSILON = {Norm.LINF: 0.1, Norm.L2: 0.2}


class Curved(nn.Module):
    """Three classes with a gradient that differs from place to place; remembers the span of what it was asked."""

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        weight = torch.randn(3, size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        self.register_buffer("weight", weight)
        self.lowest, self.highest = torch.inf, -torch.inf

    def forward(self, x: Tensor) -> Tensor:
        self.lowest, self.highest = (
            min(self.lowest, x.detach().min().item()),
            max(self.highest, x.detach().max().item()),
        )
        return (2 * x).sin() @ self.weight.T + x.square() @ self.weight.roll(1, 0).T


def victim_of(module: nn.Module, **options: Any) -> Victim:
    known = {"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.1, "access": Access.SCORES}
    return Victim(module, **(known | options))


def samples(count: int = 6) -> tuple[Tensor, Tensor]:
    x = torch.rand(count, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return x, torch.arange(count) % 3


def run(attack: Any, norm: Norm, module: nn.Module, x: Tensor, y: Tensor, **params: Any) -> AttackResult:
    victim = victim_of(module, norm=norm, epsilon=EPSILON[norm])
    return run_attack(attack.load(), victim, x, y, attack.params(**params), Draws(5, torch.arange(len(x))))


@NOISES
def test_many_pairs_give_the_gradient(noise: Noise) -> None:
    x, y = samples()
    module = Curved()
    exact = victim_of(module, access=Access.GRADIENTS).gradient(x, y, margin)
    slope = antithetic(noise, 0.001, 4000)(victim_of(module, box=None), x, y, margin, Draws(1, torch.arange(6)))
    assert torch.nn.functional.cosine_similarity(slope.gradient, exact).min() > 0.99
    assert torch.allclose(slope.gradient.norm(dim=1), exact.norm(dim=1), rtol=0.06)
    assert torch.equal(slope.logits, module(x))
    assert torch.equal(slope.value, victim_of(module).value(x, y, margin).value)


@NOISES
def test_a_sample_has_its_own_differences(noise: Noise) -> None:
    """A public library multiplies each sample's noise by the difference summed over the batch: with six samples the
    cosine with the true gradient falls from 0.73 to 0.41."""
    x, y = samples()
    module, estimate = Curved(), antithetic(noise, 0.01, 64)
    together = estimate(victim_of(module), x, y, margin, Draws(1, torch.arange(6))).gradient
    exact = victim_of(module, access=Access.GRADIENTS).gradient(x, y, margin)
    for row in range(6):
        one = slice(row, row + 1)
        alone = estimate(victim_of(module), x[one], y[one], margin, Draws(1, torch.tensor([row]))).gradient
        assert torch.allclose(alone, together[one], atol=1e-9)
        assert torch.nn.functional.cosine_similarity(alone, exact[one]).item() > 0.8


@NOISES
def test_nobody_asks_about_points_outside_the_box(noise: Noise) -> None:
    """At the border the estimate has the right signs still."""
    _, y = samples(40)
    x = torch.randint(0, 2, (40, 8), generator=torch.Generator().manual_seed(0)).double()
    module = Curved()
    slope = antithetic(noise, 0.05, 500)(victim_of(module), x, y, margin, Draws(1, torch.arange(40)))
    assert (module.lowest, module.highest) == (0.0, 1.0)
    exact = victim_of(module, access=Access.GRADIENTS).gradient(x, y, margin)
    clear = exact.abs() > 1
    assert clear.sum() > 100
    assert (slope.gradient.sign() == exact.sign())[clear].double().mean() > 0.97


@NOISES
def test_pairs_may_be_asked_in_portions(noise: Noise, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = samples()
    estimate = antithetic(noise, 0.01, 50)
    whole = estimate(victim_of(Curved()), x, y, margin, Draws(1, torch.arange(6)))
    monkeypatch.setattr(estimators, "_ROWS", 40)
    parts = estimate(victim_of(Curved()), x, y, margin, Draws(1, torch.arange(6)))
    assert torch.allclose(whole.gradient, parts.gradient, atol=1e-12)


@ATTACKS
def test_every_question_is_counted(
    attack: Any, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    result = run(attack, norm, trained, *held_out, steps=4, pairs=8)
    standing = result.clean_correct & ~result.success
    assert result.queries[standing].eq(4 * 17 + 1).all()
    assert result.queries.max() == 4 * 17 + 1
    assert result.queries[result.success].float().mean() < 4 * 17
    assert result.backwards.sum() == 0


@ATTACKS
def test_estimated_gradients_do_nearly_what_exact_ones_do(
    attack: Any, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    from advorch_builtins.attacks.catalog import PgdParams
    from advorch_builtins.attacks.pgd import perturb as pgd

    victim = victim_of(trained, norm=norm, epsilon=EPSILON[norm], access=Access.GRADIENTS)
    strong = run_attack(pgd, victim, *held_out, PgdParams(steps=20), Draws(1, torch.arange(128)))
    result = run(attack, norm, trained, *held_out, pairs=32)
    assert int(result.success.sum()) >= 0.9 * int(strong.success.sum())
    assert (result.adversarial != held_out[0]).any(1)[result.clean_correct].all()


@ATTACKS
def test_large_logits_hide_nothing(
    attack: Any, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """The margin has no flat end, as a confident softmax has; a power of two changes no rounding."""
    plain = run(attack, norm, trained, *held_out, steps=5, pairs=16)
    loud = run(attack, norm, Scaled(trained, 64.0), *held_out, steps=5, pairs=16)
    assert torch.equal(plain.success, loud.success)


class Scaled(nn.Module):
    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module, self.factor = module, factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.module(x)


class Stairs(nn.Module):
    """A defence that rounds its input: no gradient anywhere, and a slope for whoever looks far enough."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module((x * 32).round() / 32)


@ATTACKS
def test_differences_look_over_masked_gradients(
    attack: Any, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    blind = run(attack, norm, Stairs(trained), *held_out, sigma=1e-5, pairs=16)
    seeing = run(attack, norm, Stairs(trained), *held_out, sigma=0.05, pairs=32)
    assert seeing.success.sum() > 1.5 * blind.success.sum()
    open_model = run(attack, norm, trained, *held_out, sigma=0.05, pairs=32)
    assert seeing.success.sum() > 0.75 * open_model.success.sum()


def test_adam_is_that_of_torch() -> None:
    from advorch.kit.attack.adam import adam
    from advorch.kit.attack.step import Memory, Step

    gradients = torch.randn(12, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1e-3
    parameter = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=0.1, eps=1e-16, maximize=True)
    own, memory, direction = torch.zeros(3, 5, dtype=torch.float64), Memory(), adam()
    ball = victim_of(Curved()).ball(own)
    for number, gradient in enumerate(gradients):
        parameter.grad = gradient.clone()
        optimizer.step()
        step = Step(
            number=number, z=own, value=own[:, 0], gradient=gradient, ball=ball, rng=Draws(0, torch.arange(3)),
            memory=memory,
        )  # fmt: skip
        own = own + 0.1 * direction(step)
    assert torch.allclose(own, parameter.detach(), atol=1e-9)
