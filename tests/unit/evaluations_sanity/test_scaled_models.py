"""Models whose softmax says one: logits times 5 and 50, and distillation at a temperature of 100.

Every library of 2025 calls them robust. Here attacks go on as before, and the card says that gradients vanish.
"""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.victim import Victim
from advorch.kit.data import Data
from advorch.threat import Norm
from advorch_builtins.attacks import catalog, catalog_apgd, catalog_fixed, catalog_minimal, catalog_momentum
from advorch_builtins.datasets import catalog as datasets

Lab = SimpleNamespace
SAMPLES = 64
BALLS = {Norm.LINF: 0.2, Norm.L2: 1.0}
RAW = ("proximal", "difference", "near-pgd")
"""They take the gradient as long as it is, or climb a divergence from a prediction that is certain already."""
SLOW = ("cw", "lbfgs", "fab", "fab-t", "apgd-t", "dim", "tim", "smallest")
ATTACKS = [
    component
    for component in (
        catalog.FGSM, catalog.PGD, *catalog_fixed.COMPONENTS, *catalog_minimal.COMPONENTS,
    )
    if isinstance(component, Attack) and component.name not in (*RAW, *SLOW)
]  # fmt: skip


def digits(split: str) -> Data:
    component = next(item for item in datasets.advorch_components() if item.name == "digits")
    data: Data = component.load()(component.params.parse({}), split)
    return data


def trained(data: Data, targets: Tensor, temperature: float, rate: float) -> nn.Module:
    """Cross-entropy of the logits over a temperature, with labels or with a teacher's probabilities."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(module.parameters(), rate)
    for _ in range(25):
        for rows in torch.randperm(len(data)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(module(data.x[rows]) / temperature, targets[rows]).backward()
            optimizer.step()
    return module.eval()


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    torch.set_num_threads(1)
    data = digits("train")
    return trained(data, data.y, 1.0, 3e-3)


@pytest.fixture(scope="module")
def distilled() -> nn.Module:
    torch.set_num_threads(1)
    data = digits("train")
    teacher = trained(data, data.y, 100.0, 3e-2)
    with torch.no_grad():
        soft = (teacher(data.x) / 100).softmax(1)
    return trained(data, soft, 100.0, 3e-2)


def robust(component: Attack, module: nn.Module, norm: Norm, epsilon: float) -> float:
    """Points of per cent that one attack leaves."""
    data = digits("test").take(slice(SAMPLES))
    params = component.nested_schema().parse({"epsilon": epsilon, "norm": norm.value})
    victim = Victim(module, box=data.box, norm=norm, epsilon=epsilon, budget=component.threat.budget)
    found = run_attack(component.load(), victim, data.x, data.y, params, Draws(0, data.ids))
    return 100 * float((found.clean_correct & ~found.success).double().mean())


def scaled(lab: Lab, module: nn.Module, factor: float) -> nn.Module:
    times: Callable[[Tensor], Tensor] = lambda z: factor * z  # noqa: E731
    faulty: nn.Module = lab.Faulty(module, after=times)
    return faulty.eval()


@pytest.mark.parametrize(
    ("component", "norm"),
    [(component, norm) for component in ATTACKS for norm in BALLS if norm in component.threat.norms],
    ids=lambda value: getattr(value, "name", str(value)).lower(),
)
def test_large_logits_stop_no_gradient_attack(lab: Lab, plain: nn.Module, component: Attack, norm: Norm) -> None:
    here = robust(component, plain, norm, BALLS[norm])
    for factor in (5.0, 50.0):
        assert (
            robust(component, scaled(lab, plain, factor), norm, BALLS[norm]) <= here + 1.6
        )  # what scale changes is the loss itself, which may be the better one


def test_a_distilled_model_stops_no_gradient_attack(distilled: nn.Module) -> None:
    for component in (catalog.PGD, catalog_momentum.MIM, catalog_fixed.BIM, *catalog_apgd.COMPONENTS[:2]):
        assert isinstance(component, Attack)
        assert robust(component, distilled, Norm.LINF, 0.2) <= 2, component.name


@pytest.mark.parametrize("factor", [5.0, 50.0])
def test_the_card_says_that_gradients_vanish(lab: Lab, plain: nn.Module, factor: float) -> None:
    """At five times the usual loss still has a gradient somewhere; at fifty it has none at most samples."""
    data = digits("test").take(slice(40))
    verdict, why = lab.ask("S10", scaled(lab, plain, factor), data)
    assert verdict == ("fail" if factor == 50 else "pass"), why
    assert why.startswith("GRADIENTS VANISH") == (factor == 50)
    assert lab.ask("S9", scaled(lab, plain, factor), data)[0] == "pass"


def test_the_card_catches_a_distilled_model(lab: Lab, distilled: nn.Module) -> None:
    found = lab.examine(distilled, digits("test").take(slice(40)), epsilon=0.15)
    assert any("GRADIENTS VANISH" in note for note in found.notes)
    assert found.metrics["robust_accuracy"] < 0.1
    assert "S10" in str(found.tables["Robustness card"].rows[0][-1])
