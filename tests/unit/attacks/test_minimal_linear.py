"""Attacks that look for the smallest perturbation, on linear models whose distance has a closed form."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Victim
from advorch.testing.fakes import LinearModel
from advorch.threat import Budget, Goal, Norm
from advorch_builtins.attacks import catalog_minimal

OWN: tuple[Attack[Any], ...] = catalog_minimal.COMPONENTS  # type: ignore[assignment]
ATTACKS = {attack.name: attack for attack in OWN}
CASES = [(name, norm) for name, attack in ATTACKS.items() for norm in sorted(attack.threat.norms)]
ORDER = {Norm.LINF: torch.inf, Norm.L2: 2.0, Norm.L1: 1.0}
CLOSE = {"cw": 1.02, "ddn": 1.02, "fmn": 1.005, "fab": 1.01, "fab-t": 1.01, "lbfgs": 1.06, "deepfool": 1.0201}


def attack(name: str, module: nn.Module, x: Tensor, y: Tensor, norm: Norm, **options: Any) -> AttackResult:
    component = ATTACKS[name]
    params = component.params(**options.pop("settings", {}))
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": 1.0, "budget": Budget.MINIMAL}
    rng = Draws(5, options.pop("ids", torch.arange(len(x))))
    return run_attack(component.load(), Victim(module, **(known | options)), x, y, params, rng)


def around_the_middle(count: int, spread: float = 0.2, seed: int = 4) -> Tensor:
    """Samples from which no shortest way leaves the box."""
    return 0.5 + spread * (torch.rand(count, 12, generator=torch.Generator().manual_seed(seed)) - 0.5)


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_the_distance_is_the_margin_over_the_dual_norm(name: str, norm: Norm) -> None:
    """|f| / ||w||_q with two classes, and DeepFool's overshoot on top."""
    module, x = LinearModel(12, 2), around_the_middle(12)
    result = attack(name, module, x, module(x).argmax(1), norm)
    exact = module.distance(x, norm).double()
    assert result.success.all()
    assert (result.distance >= exact * (1 - 1e-4) - 1e-7).all()
    assert (result.distance <= exact * CLOSE[name] + 1e-6).all()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_with_several_classes_it_is_the_nearest_of_their_boundaries(name: str, norm: Norm) -> None:
    module, x = LinearModel(12, 5, seed=1), around_the_middle(12, spread=0.4)
    result = attack(name, module, x, module(x).argmax(1), norm)
    exact = module.distance(x, norm).double()
    assert result.success.all()
    assert (result.distance >= exact * (1 - 1e-4) - 1e-7).all()
    ratio = result.distance / exact
    assert ratio.median() <= CLOSE[name]
    assert ratio.max() <= (CLOSE[name] if name in ("deepfool", "fab", "fab-t") else 1.6)


@pytest.mark.parametrize(("name", "norm"), [case for case in CASES if Goal.TARGETED in ATTACKS[case[0]].threat.goals])
def test_a_target_is_reached_at_the_distance_of_its_boundary(name: str, norm: Norm) -> None:
    module, x = LinearModel(12, 2), around_the_middle(12)
    result = attack(name, module, x, module(x).argmax(1), norm, targeted=True)
    exact = module.distance(x, norm).double()
    assert torch.equal(result.adversarial_prediction, result.target)
    assert (result.distance <= exact * CLOSE[name] + 1e-6).all()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_samples_of_zeros_and_ones_cross_too(name: str, norm: Norm) -> None:
    """A C&W whose tanh has no margin leaves them where they are, and with them four fifths of MNIST."""
    module = LinearModel(12, 2)
    x = around_the_middle(12).round()
    result = attack(name, module, x, module(x).argmax(1), norm)
    legal = module.distance(x, norm).double()
    assert result.clean_correct.all()
    assert (result.adversarial_prediction != result.clean_prediction).all()
    assert (result.distance >= legal * (1 - 1e-4) - 1e-7).all()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_without_a_box_nothing_changes(name: str, norm: Norm) -> None:
    module, x = LinearModel(12, 2), 10 * around_the_middle(12) - 5
    result = attack(name, module, x, module(x).argmax(1), norm, box=None)
    exact = module.distance(x, norm).double()
    assert (result.adversarial_prediction != result.clean_prediction).all()
    assert (result.distance <= exact * (1.1 if name == "cw" else CLOSE[name] + 0.005) + 1e-6).all()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_masked_numbers_stay(name: str, norm: Norm) -> None:
    module, x = LinearModel(12, 2), around_the_middle(12, spread=0.1)
    mask = torch.arange(12)[None] % 2 == 0
    half = LinearModel(12, 2)
    half.weight.data[:, 1::2] = 0
    result = attack(name, module, x, module(x).argmax(1), norm, mask=mask)
    slopes = torch.linalg.vector_norm(
        (half.weight[0] - half.weight[1]).detach(), ord={1.0: torch.inf, 2.0: 2.0, torch.inf: 1.0}[ORDER[norm]]
    )
    exact = ((module(x)[:, 0] - module(x)[:, 1]).abs() / slopes).double().detach()
    assert torch.equal(result.adversarial[:, 1::2], x[:, 1::2])
    assert (result.adversarial_prediction != result.clean_prediction).all()
    assert (result.distance <= exact * (CLOSE[name] + 0.02) + 1e-6).all()


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "lbfgs"])
def test_the_scale_of_the_logits_does_not_matter(name: str) -> None:
    """Libraries whose losses vanish report 95 % robust here; a constant of its own for each scale is searched."""

    class Louder(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 500 * quiet(x)

    quiet, x = LinearModel(12, 3), around_the_middle(16)
    y = quiet(x).argmax(1)
    soft, loud = (attack(name, module, x, y, Norm.L2) for module in (quiet, Louder()))
    assert soft.success.all()
    assert loud.success.all()
    assert torch.allclose(soft.distance, loud.distance, rtol=0.05 if name == "cw" else 0.03, atol=1e-6)
