"""Minimal-budget attacks on a trained net, against the papers written out sample by sample and against each other."""

import copy
import functools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.quasi_newton import fresh, next_trial
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.smallest import smallest_epsilon
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch.testing.fakes import LinearModel
from advorch.threat import Budget, Norm
from advorch_builtins.attacks import catalog, catalog_minimal

OWN: tuple[Attack[Any], ...] = catalog_minimal.COMPONENTS  # type: ignore[assignment]
ATTACKS = {attack.name: attack for attack in OWN}
QUICK: dict[str, dict[str, Any]] = {"cw": {"steps": 100, "searches": 7}}
EUCLIDEAN = ("deepfool", "cw", "lbfgs", "ddn", "fmn", "fab", "fab-t")


def attack(name: str, module: nn.Module, x: Tensor, y: Tensor, norm: Norm = Norm.L2, **options: Any) -> AttackResult:
    component = ATTACKS[name]
    params = component.params(**(QUICK.get(name, {}) | options.pop("settings", {})))
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": 0.2, "budget": Budget.MINIMAL}
    rng = Draws(5, options.pop("ids", torch.arange(len(x))))
    return run_attack(component.load(), Victim(module, **(known | options)), x, y, params, rng)


@pytest.fixture(scope="session")
def results(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> dict[str, AttackResult]:
    torch.set_num_threads(1)
    x, y = held_out[0][:32], held_out[1][:32]
    return {name: attack(name, trained, x, y) for name in EUCLIDEAN}


def deepfool_of_the_paper(module: nn.Module, x: Tensor, norm: Norm, box: tuple[float, float] | None) -> Tensor:
    """Algorithm 2, one class after the other; the authors' code too goes a hair further, 1e-4."""
    jacobian = functools.partial(torch.autograd.functional.jacobian, lambda z: module(z[None])[0])
    label = int(module(x[None]).argmax())
    z = x
    for number in range(50):
        if int(module(z[None]).argmax()) != label:
            break
        slopes, logits = jacobian(z), module(z[None])[0].detach()
        steps = []
        for other in range(len(logits)):
            if other == label:
                continue
            w, f = slopes[other] - slopes[label], logits[other] - logits[label]
            length, unit = (w.norm(), w / w.norm()) if norm is Norm.L2 else (w.abs().sum(), w.sign())
            steps.append((f.abs() / length, ((1e-4 if number else 1e-7) + f.abs() / length) * unit))
        z = z + 1.02 * min(steps, key=lambda step: float(step[0]))[1]
        z = z.clamp(*box) if box else z
    return z


@pytest.mark.parametrize("box", [None, (0.0, 1.0)])
@pytest.mark.parametrize("norm", [Norm.L2, Norm.LINF])
def test_deepfool_is_the_paper(
    trained: nn.Module, held_out: tuple[Tensor, Tensor], norm: Norm, box: tuple[float, float] | None
) -> None:
    module, x = copy.deepcopy(trained).double(), held_out[0][:24].double()
    y = module(x).argmax(1)
    result = attack("deepfool", module, x, y, norm, box=box)
    expected = torch.stack([deepfool_of_the_paper(module, row, norm, box) for row in x])
    found = module(expected).argmax(1) != y
    assert torch.equal(result.adversarial_prediction != y, found)
    assert found.all()
    assert torch.allclose(result.adversarial[found], expected[found], atol=1e-6)


def test_deepfool_stops_sample_by_sample_and_looks_at_the_classes_it_is_told(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """Adversarial-library tries all classes, ART and torchattacks never drop anybody."""
    x, y = held_out
    full, two = attack("deepfool", trained, x, y), attack("deepfool", trained, x, y, settings={"classes": 2})
    assert full.backwards.unique().numel() > 2
    assert full.backwards[full.clean_correct].min() == 2
    assert two.backwards[two.clean_correct].min() == 1
    assert full.distance[full.clean_correct].mean() < two.distance[two.clean_correct].mean()


def test_all_find_everybody_and_agree(results: dict[str, AttackResult]) -> None:
    """Foolbox's FMN never projected and found norms twice as large as its DDN; so did a C&W of one constant for all."""
    right = results["cw"].clean_correct
    distances = {name: result.distance[right] for name, result in results.items()}
    for name, result in results.items():
        assert (result.adversarial_prediction != result.clean_prediction)[right].all(), name
        assert torch.equal(result.success, right & (result.distance <= 0.2 * (1 + 1e-6))), name
    best = torch.stack(list(distances.values())).amin(0)
    ratio = {name: float((distance / best).median()) for name, distance in distances.items()}
    assert all(ratio[name] < 1.06 for name in ("cw", "lbfgs", "ddn", "fmn", "fab", "fab-t")), ratio
    assert 1.01 < ratio["deepfool"] < 1.3


class Shifted(nn.Module):
    """The same decisions from other logits."""

    def __init__(self, module: nn.Module, factor: float, shift: float) -> None:
        super().__init__()
        self.module, self.factor, self.shift = module, factor, shift

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.factor * self.module(x) + self.shift
        return logits


@pytest.mark.parametrize("name", EUCLIDEAN)
def test_loud_or_negative_logits_change_little(
    name: str, trained: nn.Module, held_out: tuple[Tensor, Tensor], results: dict[str, AttackResult]
) -> None:
    """torchattacks masks by multiplication, and with negative logits its C&W reads every margin as zero."""
    x, y = held_out[0][:32], held_out[1][:32]
    right = results[name].clean_correct
    for module in (Shifted(trained, 1.0, -100.0), Shifted(trained, 50.0, 0.0)):
        other = attack(name, module, x, y)
        assert (other.adversarial_prediction != y)[right].all()
        assert torch.allclose(other.distance[right].mean(), results[name].distance[right].mean(), rtol=0.05)


@pytest.mark.parametrize("name", ["cw", "lbfgs"])
def test_each_sample_has_a_constant_of_its_own(name: str, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """In CleverHans the constant of a batch is an outer product, and results change with who else is there."""
    module, x = copy.deepcopy(trained).double(), held_out[0][:4].double()
    y = module(x).argmax(1)
    small = {"steps": 30, "searches": 4}
    together = attack(name, module, x, y, settings=small)
    alone = [attack(name, module, x[i : i + 1], y[i : i + 1], settings=small, ids=torch.tensor([i])) for i in range(4)]
    assert torch.allclose(together.adversarial, torch.cat([one.adversarial for one in alone]), atol=1e-6)


def test_cw_of_some_confidence_is_that_sure(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out[0][:16], held_out[1][:16]
    plain, sure = (attack("cw", trained, x, y, settings={"confidence": kappa}) for kappa in (0.0, 2.0))
    both = plain.clean_correct & (sure.adversarial_prediction != y)
    leads = margin(trained(sure.adversarial), y)[both]
    assert both.sum() > 10
    assert (leads > 1.99).float().mean() > 0.9
    assert sure.distance[both].mean() > plain.distance[both].mean()


@pytest.mark.parametrize("name", EUCLIDEAN)
def test_who_cannot_be_fooled_gets_the_best_effort(name: str) -> None:
    """Not the clean sample, not a black image: the point where the label's lead is smallest among those seen."""

    class Firm(LinearModel):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.tensor([1000.0, 0.0])

    module = Firm(12, 2)
    x = torch.rand(6, 12, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(6, dtype=torch.int64)
    result = attack(name, module, x, y)
    assert not result.success.any()
    assert (margin(module(result.adversarial), y) > margin(module(x), y)).all()
    assert result.distance.min() > 0.1
    assert (result.adversarial.amax(1) > 0).all()


def test_lbfgs_solves_what_scipy_solves() -> None:
    """Box-constrained, badly scaled, some numbers at the box in the end; each sample its own problem."""
    rng = torch.Generator().manual_seed(1)
    scale = torch.logspace(0, 2, 9, dtype=torch.float64)
    centre = torch.rand(7, 9, generator=rng, dtype=torch.float64) * 1.6 - 0.3
    mix = torch.eye(9, dtype=torch.float64) + 0.15 * torch.randn(9, 9, generator=rng, dtype=torch.float64)

    def height(z: Tensor, centre: Tensor) -> Tensor:
        step = (z - centre) @ mix
        return (scale * step.square()).sum(-1) + torch.nn.functional.softplus(3 * z.sum(-1))

    start = torch.full((7, 9), 0.5, dtype=torch.float64)
    ball = ThreatSet.around(start, Norm.L2, torch.inf, box=(0.0, 1.0))
    memory, z = fresh(start, 2.0), start
    for _ in range(120):
        point = z.clone().requires_grad_()
        heights = height(point, centre)
        (slope,) = torch.autograd.grad(heights.sum(), point)
        z = next_trial(memory, ball, z, heights.detach(), slope)
    for row in range(7):

        def of_scipy(z: np.ndarray, row: int = row) -> tuple[float, np.ndarray]:
            point = torch.tensor(z, requires_grad=True)
            value = height(point, centre[row])
            value.backward()
            return float(value.detach()), point.grad.numpy()

        best = minimize(of_scipy, start[row].numpy(), jac=True, bounds=[(0, 1)] * 9, method="L-BFGS-B")
        assert float(memory["height"][row]) <= best.fun * (1 + 1e-4)
    assert memory["settled"].any()
    assert ((memory["at"] == 0) | (memory["at"] == 1)).any()


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
def test_the_smallest_epsilon_of_fgsm_is_the_distance_on_a_linear_model(norm: Norm) -> None:
    module = LinearModel(12, 2)
    x = 0.5 + 0.2 * (torch.rand(12, 12, generator=torch.Generator().manual_seed(4)) - 0.5)
    x[0] = module.weight[0].sign() * 0.5 + 0.5  # out of reach of what is tried
    y = module(x).argmax(1)
    victim = Victim(module, box=(0.0, 1.0), norm=norm, epsilon=0.0)
    exact = module.distance(x, norm).double()
    largest = float(exact[1:].max()) * 1.5
    found = smallest_epsilon(
        catalog.FGSM.load(), victim, x, y, catalog.FgsmParams(), Draws(0, torch.arange(12)), largest=largest
    )
    assert found.epsilon[0] == torch.inf
    assert torch.equal(found.z[0], x[0])
    assert torch.allclose(found.epsilon[1:], exact[1:], rtol=2e-3, atol=largest * 1e-5)
    assert (module(found.z).argmax(1) != y)[1:].all()
    assert victim.usage(12).queries.min() > 0
