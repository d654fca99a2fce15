"""The kin of PGD: closed forms, hand-written loops, and what each part is for."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Finish, Victim
from advorch.threat import Goal, Norm
from advorch_builtins.attacks import catalog, catalog_fixed

ATTACKS: dict[str, Attack[Any]] = {
    attack.name: attack
    for attack in (catalog.FGSM, catalog.PGD, *catalog_fixed.COMPONENTS)
    if isinstance(attack, Attack)
}
CASES = [
    (name, norm)
    for name, attack in ATTACKS.items()
    for norm in sorted(attack.threat.norms)
    if name not in {"fgsm", "pgd", "dim", "tim"}
]
EPSILON = {Norm.LINF: 0.1, Norm.L2: 0.2, Norm.L1: 0.3}


def result_of(
    name: str, module: nn.Module, x: Tensor, y: Tensor, settings: dict[str, Any] | None = None, **options: Any
) -> AttackResult:
    attack, ids = ATTACKS[name], options.pop("ids", torch.arange(len(x)))
    norm = options.get("norm", Norm.LINF)
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": EPSILON[norm], "access": attack.threat.access}
    victim = Victim(module, **(known | options))
    return run_attack(attack.load(), victim, x, y, attack.params.parse(settings or {}), Draws(11, ids))


@pytest.fixture
def image_net() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 6 * 8, 5)).double().eval()


@pytest.fixture
def images(image_net: nn.Module) -> tuple[Tensor, Tensor]:
    x = torch.rand(10, 2, 8, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, image_net(x).argmax(1)


def slope_of(module: nn.Module, z: Tensor, y: Tensor) -> Tensor:
    point = z.clone().requires_grad_()
    loss = functional.cross_entropy(module(point), y, reduction="sum")
    return torch.autograd.grad(loss, point)[0]


def last_point(name: str, module: nn.Module, x: Tensor, y: Tensor, settings: dict[str, Any], **options: Any) -> Tensor:
    attack = ATTACKS[name]
    victim = Victim(module, **({"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.1, "finish": Finish.LAST} | options))
    return attack.load()(victim, x, y, attack.params.parse(settings), Draws(11, torch.arange(len(x))))


# --- every attack ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_alone_and_together_are_the_same(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    module, x, y = trained.double(), held_out[0].double()[:48], held_out[1][:48]
    settings = {"steps": 6} if "steps" in ATTACKS[name].params.model_fields else {}
    try:
        together = result_of(name, module, x, y, settings, norm=norm)
        for row in (0, 31, 47):
            one = slice(row, row + 1)
            alone = result_of(name, module, x[one], y[one], settings, norm=norm, ids=torch.tensor([row]))
            assert torch.allclose(alone.adversarial, together.adversarial[one], atol=1e-9)
            assert int(alone.backwards) == int(together.backwards[row])
        assert together.success.any() or name == "vat"
    finally:
        trained.float()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_samples_with_radii_of_their_own_stay_inside_them(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out[0][:40], held_out[1][:40]
    epsilon = torch.linspace(0, 0.4, 40)
    result = result_of(name, trained, x, y, norm=norm, epsilon=epsilon)
    assert (result.distance <= epsilon * (1 + 1e-6)).all()
    assert torch.equal(result.adversarial[0], x[0])
    assert (result.adversarial != x).any(1)[1:][result.clean_correct[1:]].all()


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if Goal.TARGETED in attack.threat.goals])
def test_targets_are_reached(name: str, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out[0][:48], held_out[1][:48]
    module = nn.Sequential(nn.Flatten(), trained)
    settings = {"reach": 1} if name == "tim" else {}
    shaped = x.view(48, 1, 2, 3) if name in {"dim", "tim"} else x
    result = result_of(name, module, shaped, y, settings, targeted=True, epsilon=0.4)
    assert torch.equal(result.success, result.clean_correct & result.adversarial_prediction.eq(result.target))
    assert result.success[result.clean_correct].double().mean() > 0.5


# --- PGD and FGSM ----------------------------------------------------------------------------------------------------


class Rough(nn.Module):
    """A net in front of which the input is bent so often that gradients point anywhere."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x + 0.3 * (40 * x).sin())
        return out


@pytest.mark.parametrize("norm", list(EPSILON))
def test_who_falls_to_fgsm_falls_to_pgd(norm: Norm) -> None:
    """On every model, with any length of step: a PGD of too short or too long steps alone would miss some."""
    missed = 0
    for seed in range(6):
        module = Rough(seed)
        x = torch.rand(60, 8, generator=torch.Generator().manual_seed(seed))
        y = module(x).argmax(1)
        single = result_of("fgsm", module, x, y, norm=norm)
        for settings in ({"steps": 2}, {"steps": 7, "alpha": 0.003}, {"steps": 3, "alpha": 1.0}):
            for name in ("pgd", "bim"):
                usual = result_of(name, module, x, y, settings, norm=norm)
                assert (usual.success | ~single.success).all()
            final = last_point("pgd", module, x, y, settings, norm=norm, epsilon=EPSILON[norm])
            missed += int((single.success & module(final).argmax(1).eq(y)).sum())
    assert missed > 0


def test_the_last_resort_is_for_those_who_stand(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = result_of("pgd", trained, *held_out, {"steps": 5, "alpha": 0.003})
    assert result.forwards[result.success].min() <= 3
    assert result.forwards[result.clean_correct & ~result.success].eq(5 + 1 + 2).all()
    assert result.backwards.max() == 6


def test_bim_is_pgd_from_the_sample(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    for norm in EPSILON:
        bim = result_of("bim", trained, *held_out, norm=norm)
        same = result_of("pgd", trained, *held_out, {"random_start": False}, norm=norm)
        assert torch.equal(bim.adversarial, same.adversarial)


# --- without the sign ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", list(EPSILON))
def test_one_long_proximal_step_is_fgsm(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out[0].double() * 0.5 + 0.25, held_out[1]
    module = trained.double()
    try:
        options = {"norm": norm, "epsilon": EPSILON[norm] / 2}
        single = last_point("fgsm", module, x, y, {}, **options)
        proximal = last_point("proximal", module, x, y, {"steps": 1, "alpha": 1e9}, **options)
        assert torch.allclose(single, proximal, atol=1e-7)
    finally:
        trained.float()


def test_proximal_steps_are_gradients(image_net: nn.Module, images: tuple[Tensor, Tensor]) -> None:
    x, y = images
    found = last_point("proximal", image_net, x, y, {"steps": 7, "alpha": 0.2})
    z = x
    for _ in range(7):
        z = (z + 0.2 * slope_of(image_net, z, y)).clamp(x - 0.1, x + 0.1).clamp(0, 1)
    assert torch.allclose(found, z, atol=1e-12)
    assert 0 < (found - x).abs().max() < 0.1 + 1e-12


@pytest.mark.parametrize("targeted", [False, True])
def test_difference_raises_one_logit_over_another(
    targeted: bool, image_net: nn.Module, images: tuple[Tensor, Tensor]
) -> None:
    x, y = images
    logits = image_net(x)
    other = logits.masked_fill(functional.one_hot(y, 5).bool(), -torch.inf).argmax(1)
    target = (y + 2) % 5 if targeted else other
    goal = target if targeted else y
    found = last_point("difference", image_net, x, goal, {"steps": 5, "alpha": 0.05}, targeted=targeted)
    z = x
    for _ in range(5):
        point = z.clone().requires_grad_()
        out = image_net(point)
        loss = functional.cross_entropy(out, y, reduction="sum") - functional.cross_entropy(
            out, target, reduction="sum"
        )
        z = (z + 0.05 * torch.autograd.grad(loss, point)[0]).clamp(x - 0.1, x + 0.1).clamp(0, 1)
    assert torch.allclose(found, z, atol=1e-12)


def test_difference_survives_confidence(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """At a margin of 120 a softmax in float32 is one to the last bit: neither a difference nor our losses mind."""
    x, y = held_out

    class Confident(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 200 * trained(x)  # type: ignore[no-any-return]

    plain = result_of("difference", trained, x, y)
    assert result_of("difference", Confident(), x, y, {"alpha": 1 / 200}).success.sum() >= plain.success.sum() - 1
    assert result_of("bim", Confident(), x, y).success.sum() >= result_of("bim", trained, x, y).success.sum() - 1


# --- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "order"), [(Norm.LINF, torch.inf), (Norm.L2, 2), (Norm.L1, 1)])
def test_scaled_gradient_gains_what_linear_algebra_says(norm: Norm, order: float) -> None:
    weight = torch.tensor([[0.0] * 6, [0.5, -1.0, 2.0, 0.25, -0.125, 3.0]], dtype=torch.float64)
    module = nn.Linear(6, 2).double()
    module.weight.data, module.bias.data = weight, torch.tensor([0.0, 50.0], dtype=torch.float64)
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = result_of("scaled-gradient", module, x, torch.ones(20, dtype=torch.int64), norm=norm, box=None)
    gained = (module(x) - module(result.adversarial))[:, 1]
    expected = EPSILON[norm] * weight[1].square().sum() / torch.linalg.vector_norm(weight[1], order)
    assert gained.tolist() == pytest.approx([float(expected)] * 20, rel=1e-9)
    assert result.distance.tolist() == pytest.approx([EPSILON[norm]] * 20, rel=1e-9)


def test_the_sign_is_worth_something(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    scaled = result_of("scaled-gradient", trained, *held_out)
    assert scaled.success.sum() < result_of("fgsm", trained, *held_out).success.sum()
    in_l2 = result_of("scaled-gradient", trained, *held_out, norm=Norm.L2).adversarial
    assert torch.allclose(in_l2, result_of("fgsm", trained, *held_out, norm=Norm.L2).adversarial, atol=1e-6)


# --- expectation over transformations --------------------------------------------------------------------------------


class Flipping(nn.Module):
    """A random defence: most of the signal comes with a random sign, the truth is in the mean."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        noise = (torch.randint(0, 2, (len(x), 6)) * 2 - 1).to(x) @ torch.linspace(1, 2, 6).diag().to(x)
        shift = (noise * x).sum(1, keepdim=True) * torch.tensor([1.0, -1.0, 0.5]).to(x)
        out: Tensor = self.module(x)
        return out + 3 * shift


def test_a_mean_of_gradients_sees_through_a_random_defence(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    attack, loss = ATTACKS["eot-pgd"], []
    for draws in (1, 40):
        params = attack.params.parse({"draws": draws, "steps": 8})
        victim = Victim(Flipping(trained), box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1, finish=Finish.LAST)
        torch.manual_seed(0)
        z = attack.load()(victim, x, y, params, Draws(1, torch.arange(128)))
        assert victim.usage(128).backwards.eq(8 * draws).all()
        loss.append(float(functional.cross_entropy(trained(z).detach(), y)))
    best = last_point("pgd", trained, x, y, {"steps": 8, "random_start": False})
    assert loss[0] < loss[1] - 0.05
    assert loss[1] > 0.9 * float(functional.cross_entropy(trained(best).detach(), y))


def test_the_mean_is_of_back_propagated_gradients(image_net: nn.Module, images: tuple[Tensor, Tensor]) -> None:
    """secml-torch calls finite differences EOT. Here one step over noise is the sign of the mean of true gradients."""
    x, y = images
    settings = {"view": "noise", "sigma": 0.3, "draws": 7, "steps": 1, "alpha": 0.01}
    found = last_point("eot-pgd", image_net, x, y, settings)
    rng = Draws(11, torch.arange(10)).fork(0)
    ball = Victim(image_net, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1).ball(x)
    start = ball.random(rng.fork("start"))
    mean = sum(slope_of(image_net, start + 0.3 * rng.normal(x.shape[1:], like=x), y) for _ in range(7))
    assert isinstance(mean, Tensor)
    assert torch.allclose(found, ball.project(start + 0.01 * mean.sign()), atol=1e-12)


# --- VAT -------------------------------------------------------------------------------------------------------------


def curvatures(weight: Tensor, logits: Tensor) -> Iterator[Tensor]:
    for p in logits.softmax(1):
        yield weight.T @ (p.diag() - torch.outer(p, p)) @ weight


def test_the_power_method_finds_the_steepest_direction(held_out: tuple[Tensor, Tensor]) -> None:
    """Of softmax regression the curvature of the divergence is W' (diag p - p p') W."""
    torch.manual_seed(0)
    module = nn.Linear(6, 4).double()
    x = torch.rand(20, 6, dtype=torch.float64)
    y = module(x).argmax(1)
    cosines = []
    for steps in (1, 3, 60):
        options = {"norm": Norm.L2, "epsilon": 1e-3, "box": None}
        z = last_point("vat", module, x, y, {"steps": steps, "xi": 1e-3}, **options)
        assert torch.allclose((z - x).norm(dim=1), torch.full((20,), 1e-3, dtype=torch.float64), rtol=1e-9)
        steepest = [torch.linalg.eigh(matrix).eigenvectors[:, -1] for matrix in curvatures(module.weight, module(x))]
        found = functional.cosine_similarity(z - x, torch.stack(steepest)).abs()
        cosines.append(float(found.detach().mean()))
    assert all(early < late for early, late in pairwise(cosines))
    assert cosines[-1] > 0.9999


def test_the_virtual_direction_needs_no_label(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    first, second = (last_point("vat", trained, x, labels, {}) for labels in (y, (y + 1) % 3))
    assert torch.equal(first, second)
    clean = trained(x).detach().log_softmax(1)

    def divergence(z: Tensor) -> float:
        return float((clean.exp() * (clean - trained(z).detach().log_softmax(1))).sum(1).mean())

    random: Callable[[], Tensor] = lambda: (x + 0.1 * torch.randn_like(x).sign()).clamp(0, 1)  # noqa: E731
    torch.manual_seed(0)
    assert divergence(first) > 1.3 * max(divergence(random()) for _ in range(10))
