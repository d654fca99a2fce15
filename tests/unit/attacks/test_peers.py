"""Agreement with other libraries, from what they found on a tiny net (benchmarks/attacks_fixtures.py wrote it down)."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.api import Attack, Budget, Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import ascend
from advorch.kit.attack.objectives import cross_entropy
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.starts import at_clean
from advorch.kit.attack.victim import Finish, Victim
from advorch_builtins.attacks import apgd, catalog, catalog_apgd, catalog_minimal, catalog_momentum

FIXTURES = Path(__file__).parent / "fixtures"
ATTACKS: dict[str, Attack[Any]] = {
    "fgsm": catalog.FGSM,
    "pgd": catalog.PGD,
    "mim": catalog_momentum.MIM,
    "deepfool": catalog_minimal.DEEPFOOL,
    "cw": catalog_minimal.CW,
    "apgd-ce": catalog_apgd.APGD_CE,
}


def _cases() -> list[Any]:
    found = []
    for file in sorted(FIXTURES.glob("peers_*.json")):
        peer = json.loads(file.read_text())
        for case in peer["cases"]:
            known = {"weights": peer["weights"], **case}
            found.append(pytest.param(known, id=f"{peer['library']}-{peer['version']}-{case['attack']}-{case['norm']}"))
    return found


def _of(case: dict[str, Any], name: str) -> list[Any]:
    return [param for param in _cases() if param.values[0]["attack"] in name.split()]


@pytest.fixture
def net(case: dict[str, Any]) -> nn.Module:
    module = nn.Sequential(nn.Flatten(), nn.Linear(9, 8), nn.Tanh(), nn.Linear(8, 4))
    module.load_state_dict({name: torch.tensor(values) for name, values in case["weights"].items()})
    return module.eval()


def points(case: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Samples, labels, and what the peer made of them."""
    x, z = (torch.tensor(case[name]).view(-1, 1, 3, 3) for name in ("x", "z"))
    return x, torch.tensor(case["y"]), z


def victim_of(case: dict[str, Any], module: nn.Module, **options: Any) -> Victim:
    budget = Budget.MINIMAL if case["epsilon"] is None else Budget.FIXED
    known = {"box": (0.0, 1.0), "norm": Norm(case["norm"]), "epsilon": case["epsilon"] or 100.0, "budget": budget}
    return Victim(module, **(known | options))


def attacked(case: dict[str, Any], module: nn.Module) -> AttackResult:
    x, y, _ = points(case)
    component = ATTACKS[case["attack"]]
    params = component.params(**case["settings"])
    return run_attack(component.load(), victim_of(case, module), x, y, params, Draws(0, torch.arange(len(x))))


@pytest.mark.parametrize("case", _cases())
def test_the_fixture_is_about_what_the_model_gets_right(case: dict[str, Any], net: nn.Module) -> None:
    x, y, z = points(case)
    assert torch.equal(net(x).argmax(1), y)
    assert (z != x).flatten(1).any(1).all()
    assert net(z).argmax(1).ne(y).any()


@pytest.mark.parametrize("case", [case for name in ("fgsm", "pgd", "mim") for case in _of({}, name)])
def test_the_last_points_are_equal_pixel_by_pixel(case: dict[str, Any], net: nn.Module) -> None:
    """A peer's attack on a fixed budget goes all its steps and returns the last."""
    x, y, z = points(case)
    victim, component = victim_of(case, net, finish=Finish.LAST), ATTACKS[case["attack"]]
    params = component.params(**case["settings"])
    found = component.load()(victim, x, y, params, Draws(0, torch.arange(len(x))))
    assert torch.allclose(found, z, atol=2e-6)


@pytest.mark.parametrize("case", _of({}, "apgd-ce"))
def test_apgd_from_the_same_start_ends_in_the_same_point(case: dict[str, Any], net: nn.Module) -> None:
    x, y, z = points(case)
    params = catalog_apgd.ApgdParams(**case["settings"])
    recipe = replace(apgd._recipe(Norm.LINF, params, cross_entropy), start=at_clean)
    victim = victim_of(case, net, finish=Finish.HARDEST)
    found = ascend(victim, x, y, recipe, Draws(0, torch.arange(len(x))))
    loss = partial(nn.functional.cross_entropy, target=y, reduction="none")
    assert torch.allclose(loss(net(found)), loss(net(z)), rtol=1e-4)
    assert torch.allclose(found, z, atol=1e-5)


@pytest.mark.parametrize("case", _cases())
def test_robust_accuracy_is_that_of_the_peer_or_lower(case: dict[str, Any], net: nn.Module) -> None:
    """Some points of a peer's way fooled and its last one does not; here the first that fools is kept."""
    _, y, z = points(case)
    peer = net(z).argmax(1).ne(y)
    assert attacked(case, net).success[peer].all()


@pytest.mark.parametrize("case", _of({}, "deepfool"))
def test_deepfool_goes_as_far_as_the_peer(case: dict[str, Any], net: nn.Module) -> None:
    x, _, z = points(case)
    assert torch.allclose(attacked(case, net).distance.float(), (z - x).flatten(1).norm(dim=1), rtol=2e-2)


@pytest.mark.parametrize("case", _of({}, "cw"))
def test_cw_goes_no_further_than_the_peer(case: dict[str, Any], net: nn.Module) -> None:
    x, _, z = points(case)
    ratio = attacked(case, net).distance / (z - x).flatten(1).norm(dim=1)
    assert ratio.mean() < 1.02
    assert ratio.max() < 1.1
