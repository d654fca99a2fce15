from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.inner import InnerAttack
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Victim
from advorch.threat import Norm
from advorch_builtins.attacks import catalog

OWN: tuple[Attack[Any], ...] = (catalog.FGSM, catalog.PGD, catalog.UNIFORM_NOISE, catalog.SIGN_NOISE)
ATTACKS: dict[str, Attack[Any]] = {attack.name: attack for attack in OWN}
CASES = [(name, norm) for name, attack in ATTACKS.items() for norm in sorted(attack.threat.norms)]
EPSILON = {Norm.LINF: 0.1, Norm.L2: 0.2, Norm.L1: 0.3}


def run(
    name: str, module: nn.Module, x: Tensor, y: Tensor, *, settings: dict[str, Any] | None = None, **options: Any
) -> AttackResult:
    attack = ATTACKS[name]
    norm = options.get("norm", Norm.LINF)
    epsilon = options.get("epsilon", EPSILON[norm])
    plain = {"epsilon": epsilon if isinstance(epsilon, float) else 0.0, "norm": norm.value} | (settings or {})
    params = attack.nested_schema().parse(plain)
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": epsilon, "access": attack.threat.access}
    rng = Draws(11, options.pop("ids", torch.arange(len(x))))
    return run_attack(attack.load(), Victim(module, **(known | options)), x, y, params, rng)


class Linear(nn.Module):
    """Two classes whose margin is `w x + b`."""

    def __init__(self, weight: Tensor, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        margin = x.flatten(1) @ self.weight + self.bias
        return torch.stack([torch.zeros_like(margin), margin], 1)


def drop(module: Linear, clean: Tensor, moved: Tensor) -> Tensor:
    """How much of the margin an attack on class 1 has taken."""
    return (module(clean) - module(moved))[:, 1]


WEIGHT = torch.tensor([0.5, -1.0, 2.0, 0.25, -0.125, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
@pytest.mark.parametrize(("norm", "dual"), [(Norm.LINF, 1), (Norm.L2, 2), (Norm.L1, torch.inf)])
def test_linear_model_loses_epsilon_times_the_dual_norm(name: str, norm: Norm, dual: float) -> None:
    module = Linear(WEIGHT, bias=50.0)
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = {"steps": 60, "random_start": False, "top": 0.0} if name == "pgd" else {}
    result = run(name, module, x, torch.ones(20, dtype=torch.int64), norm=norm, box=None, settings=settings)
    best = EPSILON[norm] * torch.linalg.vector_norm(WEIGHT, dual)
    assert drop(module, x, result.adversarial).tolist() == pytest.approx([float(best)] * 20, rel=1e-12)
    assert not result.success.any()
    assert result.distance.tolist() == pytest.approx([EPSILON[norm]] * 20, rel=1e-12)


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L1])
def test_fgsm_is_exact_in_the_box_too(norm: Norm) -> None:
    """Of a linear function the best corner of ball and box is found by going through the numbers by strength."""
    module = Linear(WEIGHT, bias=50.0)
    x = (torch.rand(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.6 - 0.3).clamp(0, 1)
    result = run("fgsm", module, x, torch.ones(20, dtype=torch.int64), norm=norm, epsilon=0.4)
    for clean, taken in zip(x.tolist(), drop(module, x, result.adversarial).tolist(), strict=True):
        left, best = 0.4, 0.0
        for weight, value in sorted(zip(WEIGHT.tolist(), clean, strict=True), key=lambda pair: -abs(pair[0])):
            room = min(0.4 if norm is Norm.LINF else left, value if weight > 0 else 1 - value)
            best, left = best + abs(weight) * room, left - room
        assert taken == pytest.approx(best, rel=1e-12)


def test_fgsm_fools_a_linear_model_exactly_where_it_can_be_fooled() -> None:
    torch.manual_seed(0)
    module = Linear(WEIGHT.float())
    x = torch.randn(400, 6)
    y = (module(x)[:, 1] > 0).long()
    result = run("fgsm", module, x, y, box=None)
    reach = 0.1 * WEIGHT.abs().sum()
    certain = (module(x)[:, 1].abs() - reach).abs() > 1e-5
    assert torch.equal(result.success[certain], (module(x)[:, 1].abs() < reach)[certain])
    assert 20 < result.success.sum() < 380


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_every_attack_keeps_its_contract(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out
    result = run(name, trained, x, y, norm=norm)
    step = (result.adversarial - x).double()
    order = {Norm.LINF: torch.inf, Norm.L2: 2, Norm.L1: 1}[norm]
    assert result.adversarial.min() >= 0
    assert result.adversarial.max() <= 1
    assert float(torch.linalg.vector_norm(step, order, dim=1).max()) <= EPSILON[norm] * (1 + 2e-7)
    assert (result.adversarial != x).any(1)[result.clean_correct].all()
    assert all(parameter.grad is None for parameter in trained.parameters())
    assert result.success.any()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_alone_and_together_are_the_same(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """Per-sample results that depend on batch mates are the commonest defect of published C&W implementations."""
    module, x, y = trained.double(), held_out[0].double(), held_out[1]
    try:
        together = run(name, module, x, y, norm=norm, settings={"restarts": 2} if name == "pgd" else {})
        for row in (0, 31, 77):
            one = slice(row, row + 1)
            alone = run(
                name, module, x[one], y[one], norm=norm, ids=torch.tensor([row]),
                settings={"restarts": 2} if name == "pgd" else {},
            )  # fmt: skip
            assert torch.allclose(alone.adversarial, together.adversarial[one], atol=1e-9)
            assert bool(alone.success) == bool(together.success[row])
            assert int(alone.queries) == int(together.queries[row])
    finally:
        trained.float()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_noise_is_equal_bit_for_bit_and_all_are_repeatable(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out
    first, again = run(name, trained, x, y, norm=norm), run(name, trained, x, y, norm=norm)
    assert torch.equal(first.adversarial, again.adversarial)
    if "noise" in name:
        half = run(name, trained, x[64:], y[64:], norm=norm, ids=torch.arange(64, 128))
        assert torch.equal(first.adversarial[64:], half.adversarial)


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_epsilon_zero_changes_nothing(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    result = run(name, trained, *held_out, norm=norm, epsilon=0.0)
    assert torch.equal(result.adversarial, held_out[0])
    assert not result.success.any()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_every_sample_may_have_its_own_epsilon(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    epsilon = torch.linspace(0, 0.4, 128)
    result = run(name, trained, *held_out, norm=norm, epsilon=epsilon)
    assert (result.distance <= epsilon * (1 + 1e-6)).all()
    assert result.distance.max() > 0.2
    assert result.adversarial.dtype == torch.float32


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_border_numbers_are_attacked(name: str, norm: Norm, trained: nn.Module) -> None:
    """Images of exact zeros and ones: torchattacks' C&W leaves them alone, and the box stops half of all steps."""
    corners = torch.tensor([[float(bit) for bit in f"{number:06b}"] for number in range(64)])
    with torch.no_grad():
        y = trained(corners).argmax(1)
    result = run(name, trained, corners, y, norm=norm, epsilon=0.3)
    assert (result.adversarial != corners).any(1).all()
    assert run("pgd", trained, corners, y, norm=norm, epsilon=2.0).success.double().mean() > 0.5


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_targeted_attacks_reach_their_targets(
    name: str, norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    result = run(name, trained, *held_out, norm=norm, targeted=True, epsilon=3 * EPSILON[norm])
    assert result.target.ne(held_out[1]).all()
    assert torch.equal(result.success, result.clean_correct & result.adversarial_prediction.eq(result.target))
    assert result.success.any()


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
def test_iterative_attacks_are_never_weaker(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """With a step as long as epsilon and no random start, the first of PGD's points is the whole of FGSM's."""
    single = run("fgsm", trained, *held_out, norm=norm)
    alpha = {"alpha": EPSILON[norm], "random_start": False, "top": 0.0}
    iterative = run("pgd", trained, *held_out, norm=norm, settings=alpha | {"steps": 10})
    if norm is not Norm.L1:
        assert (iterative.success | ~single.success).all()
    usual = run("pgd", trained, *held_out, norm=norm, settings={"steps": 40, "top": 0.2})
    assert usual.success.sum() >= single.success.sum()
    assert usual.success.sum() > run("uniform-noise", trained, *held_out, norm=norm).success.sum()


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
def test_an_unbounded_attack_breaks_everything(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = run("pgd", trained, *held_out, norm=norm, epsilon=6.0, settings={"steps": 60, "restarts": 6, "alpha": 0.3})
    assert result.success[result.clean_correct].double().mean() > 0.98


def test_pgd_finds_all_that_a_dense_search_finds(trained: nn.Module) -> None:
    """In two dimensions that matter, a grid of the linf ball is the truth."""
    x = torch.rand(60, 6, generator=torch.Generator().manual_seed(9))
    module = nn.Sequential(Frozen(), trained)
    with torch.no_grad():
        y = module(x).argmax(1)
        line = torch.linspace(-0.1, 0.1, 41)
        grid = torch.cartesian_prod(line, line)
        points = x.repeat_interleave(len(grid), 0)
        points[:, :2] += grid.repeat(60, 1)
        within = (points[:, :2] >= 0).all(1) & (points[:, :2] <= 1).all(1)
        breakable = (module(points).argmax(1).ne(y.repeat_interleave(len(grid))) & within).reshape(60, -1).any(1)
    result = run("pgd", module, x, y, settings={"steps": 30, "restarts": 3})
    assert (result.success | ~breakable).double().mean() > 0.98
    assert 5 < breakable.sum() < 55


class Frozen(nn.Module):
    """Lets only two numbers through."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :2], torch.full_like(x[:, 2:], 0.5)], 1)


def test_noise_needs_labels_and_no_more(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """The victims of these runs grant labels alone; one draw a query, and no gradient."""
    for name in ("uniform-noise", "sign-noise"):
        result = run(name, trained, *held_out, settings={"draws": 4})
        assert result.backwards.sum() == 0
        assert result.queries[result.clean_correct & ~result.success].eq(4).all()
        assert result.queries.max() <= 4
        more = run(name, trained, *held_out, settings={"draws": 40})
        assert (more.success | ~result.success).all()
        assert more.success.sum() > result.success.sum()
    corner = run("sign-noise", trained, held_out[0] * 0.5 + 0.25, held_out[1])
    moved = (corner.adversarial - held_out[0] * 0.5 - 0.25).abs()[corner.clean_correct]
    assert torch.allclose(moved, torch.full_like(moved, 0.1), atol=1e-6)


def test_inside_training_every_attack_takes_all_its_steps(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    for name, norm in CASES:
        attack = ATTACKS[name]
        params = attack.nested_schema().parse({"epsilon": EPSILON[norm], "norm": norm.value})
        z = InnerAttack(attack, params, box=(0.0, 1.0))(trained, x, y, torch.arange(128), 5)
        assert (z != x).any(1).all()
        again = InnerAttack(attack, params, box=(0.0, 1.0))(trained, x[:9], y[:9], torch.arange(9), 5)
        assert torch.allclose(again, z[:9], atol=1e-5)


def test_images_and_vectors_alike(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    module = nn.Sequential(nn.Flatten(), trained)
    for name, norm in CASES:
        image = run(name, module, x.view(128, 1, 2, 3), y, norm=norm)
        assert torch.equal(image.adversarial.flatten(1), run(name, trained, x, y, norm=norm).adversarial)


def test_descriptions() -> None:
    for attack in ATTACKS.values():
        own = set(attack.params.model_fields)
        assert not own & {"epsilon", "norm", "targeted"}
        assert all(field.description for field in attack.params.model_fields.values())
        assert {"epsilon", "norm", "samples", "chunk"} <= set(attack.schema().model_fields)
        assert attack.load().__doc__
