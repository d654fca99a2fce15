"""AutoAttack and the cascade: which attacks, for whom, and the complaints about public implementations."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.chain import Link, chain
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Finish, Victim
from advorch.params import Params
from advorch.threat import Norm
from advorch_builtins.attacks import autoattack, cascade
from advorch_builtins.attacks.catalog_ensemble import AutoAttackParams

SMALL = {"steps": 12, "queries": 40, "targets": 3}
EPSILON = {Norm.LINF: 0.08, Norm.L2: 0.15, Norm.L1: 0.2}
EACH = pytest.mark.parametrize("norm", list(EPSILON))


def victim_of(module: nn.Module, norm: Norm = Norm.LINF, epsilon: float | None = None, **options: Any) -> Victim:
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": EPSILON[norm] if epsilon is None else epsilon}
    return Victim(module, **(known | options))


def attack(victim: Victim, x: Tensor, y: Tensor, ids: Tensor | None = None, **params: Any) -> AttackResult:
    rng = Draws(3, torch.arange(len(x)) if ids is None else ids)
    return run_attack(autoattack.perturb, victim, x, y, AutoAttackParams(**(SMALL | params)), rng)


def names(norm: Norm, version: Any) -> list[str]:
    return [link.name for link in autoattack.links(norm, AutoAttackParams(version=version))]


def test_versions_are_the_authors() -> None:
    assert names(Norm.LINF, "standard") == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert names(Norm.LINF, "plus") == ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"]
    assert names(Norm.L2, "rand") == ["apgd-ce", "apgd-dlr"]


def budgets(norm: Norm, version: Any) -> dict[str, dict[str, Any]]:
    return {link.name: link.params.plain() for link in autoattack.links(norm, AutoAttackParams(version=version))}


def test_budgets_are_the_authors() -> None:
    for norm, restarts, targets in ((Norm.LINF, 1, 9), (Norm.L2, 1, 9), (Norm.L1, 5, 5)):
        known = budgets(norm, "standard")
        assert (known["apgd-ce"]["restarts"], known["apgd-ce"]["steps"], known["apgd-ce"]["draws"]) == (
            restarts,
            100,
            1,
        )
        assert (known["apgd-t"]["restarts"], known["apgd-t"]["targets"]) == (1, targets)
        assert (known["fab-t"]["restarts"], known["fab-t"]["targets"], known["fab-t"]["steps"]) == (1, 9, 100)
        assert (known["square"]["queries"], known["square"]["horizon"]) == (5000, 10_000)
    plus = budgets(Norm.LINF, "plus")
    assert [plus[name]["restarts"] for name in ("apgd-ce", "apgd-dlr", "fab", "apgd-t", "fab-t")] == [5, 5, 5, 1, 1]
    assert [params["draws"] for params in budgets(Norm.LINF, "rand").values()] == [20, 20]


def recording(record: list[list[int]], move: float) -> Callable[..., Tensor]:
    """An attack that adds the same to every number, and remembers for whom it was called."""

    def perturb(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        record.append(rng.ids.tolist())
        return victim.ball(x).project(x + move)

    return perturb


class Rising(nn.Module):
    """The second of two classes from one half on."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([0.5 - x.flatten(1).mean(1), x.flatten(1).mean(1) - 0.5], 1)


def test_a_link_is_for_those_who_stand_and_the_best_effort_is_kept() -> None:
    """The worst case of each sample, never the mean of attacks (fra31/auto-attack#45)."""
    record: list[list[int]] = []
    x = torch.tensor([0.45, 0.3, 0.1])[:, None].expand(3, 4).contiguous()
    links = [Link(name=str(move), perturb=recording(record, move), params=Params()) for move in (0.1, 0.25, -0.2)]
    victim = victim_of(Rising(), epsilon=0.25)
    z = chain(victim, x, torch.zeros(3, dtype=torch.int64), links, Draws(0, torch.arange(3)))
    assert record == [[0, 1, 2], [1, 2], [2]]
    assert torch.allclose(z[:, 0], torch.tensor([0.55, 0.55, 0.35]))
    assert victim.usage(3).forwards.tolist() == [1, 2, 3]


def test_nothing_is_asked_when_all_are_fooled(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """Square of the reference fails when nobody is left to it (fra31/auto-attack#81)."""
    result = attack(victim_of(trained, epsilon=1.0), *held_out)
    assert result.success.eq(result.clean_correct).all()
    assert result.queries.max() < 40
    wrong = attack(victim_of(trained), held_out[0], (held_out[1] + 1) % 3)
    assert torch.equal(wrong.queries.gt(1), wrong.clean_correct)


@EACH
def test_it_fools_whom_any_part_fools(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """And every link does the same to a sample in any chain, so that verdicts are exactly those of the parts."""
    together, robust = attack(victim_of(trained, norm), *held_out), torch.ones(len(held_out[0]), dtype=torch.bool)
    for link in autoattack.links(norm, AutoAttackParams(**SMALL)):
        rng = Draws(3, torch.arange(len(held_out[0]))).fork(link.name)
        robust &= ~run_attack(link.perturb, victim_of(trained, norm), *held_out, link.params, rng).success
    assert torch.equal(together.success, together.clean_correct & ~robust)
    assert 20 < together.success.sum() < 120


@EACH
def test_whoever_withstands_the_cascade_withstands_autoattack(
    norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    whole = attack(victim_of(trained, norm), *held_out)
    params = AutoAttackParams(**SMALL, precision="fp32")
    rng = Draws(3, torch.arange(len(held_out[0])))
    less = run_attack(cascade.perturb, victim_of(trained, norm), *held_out, params, rng)
    assert (less.success >= whole.success).all()
    assert (less.success & ~whole.success).sum() <= 3
    late = whole.success & (whole.forwards > 60)
    assert less.forwards[late].sum() <= whole.forwards[late].sum()


def test_a_chunk_is_attacked_as_the_whole(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """So a run goes on where it was stopped, and says the same (D10: the reference's saved state never loads)."""
    x, y = held_out[0].double(), held_out[1]
    module = trained.double()
    try:
        whole = attack(victim_of(module), x, y)
        parts = [attack(victim_of(module), x[rows], y[rows], rows) for rows in torch.arange(128).split(48)]
    finally:
        trained.float()
    assert torch.equal(whole.success, torch.cat([part.success for part in parts]))
    assert float((whole.adversarial - torch.cat([part.adversarial for part in parts])).abs().max()) < 1e-6


@pytest.mark.parametrize("perturb", [autoattack.perturb, cascade.perturb])
def test_nobody_else_s_random_numbers_are_touched(
    perturb: Callable[..., Tensor], trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """D15: the reference seeds the process by the clock, once a batch and attack."""
    torch.manual_seed(11)
    random.seed(11)
    before = (torch.get_rng_state(), random.getstate())
    x, y = held_out[0][:24], held_out[1][:24]
    first = perturb(victim_of(trained), x, y, AutoAttackParams(**SMALL), Draws(1, torch.arange(24)))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    torch.manual_seed(12)
    again = perturb(victim_of(trained), x, y, AutoAttackParams(**SMALL), Draws(1, torch.arange(24)))
    assert torch.equal(first, again)


class Affine(nn.Module):
    def __init__(self, classes: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        weight = torch.randn((classes, *shape), generator=torch.Generator().manual_seed(classes))
        self.weight = nn.Parameter(weight.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - 0.5) @ self.weight.T


@EACH
@pytest.mark.parametrize(("classes", "shape"), [(2, (1, 4, 4)), (3, (9,)), (4, (2, 3, 7)), (8, (1, 6, 4))])
def test_few_classes_and_any_shape(norm: Norm, classes: int, shape: tuple[int, ...]) -> None:
    """fra31/auto-attack#79, #110 (targets that are not there) and #95 (pictures that are not square)."""
    x = torch.rand(12, *shape, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2
    module = Affine(classes, shape)
    y = module(x).argmax(1)
    margins = module(x).topk(2).values
    weak, strong = (attack(victim_of(module, norm, factor * RADIUS[norm]), x, y) for factor in (0.02, 4.0))
    assert weak.success.sum() <= (margins[:, 0] - margins[:, 1] < 0.5).sum()
    assert strong.success.all()


RADIUS = {Norm.LINF: 0.1, Norm.L2: 0.5, Norm.L1: 1.5}


@pytest.mark.parametrize("version", ["plus", "rand"])
def test_other_versions_agree_where_nothing_is_drawn(
    version: str, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    standard = attack(victim_of(trained), *held_out)
    other = attack(victim_of(trained), *held_out, version=version, draws=2, restarts=2)
    assert (standard.success != other.success).sum() <= 3


class Noisy(nn.Module):
    """Looks at its input through noise of its own."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x + 0.02 * torch.randn_like(x))  # type: ignore[no-any-return]


def test_a_model_that_draws_is_attacked_by_rand(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = attack(victim_of(Noisy(trained), epsilon=0.15), *held_out, version="rand", draws=4)
    assert result.success.sum() > 60
    assert result.backwards.max() > 4 * SMALL["steps"]


@pytest.mark.parametrize("finish", [Finish.HARDEST, Finish.LAST])
def test_in_training_everybody_takes_every_attack(
    finish: Finish, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    victim = victim_of(trained, finish=finish)
    z = autoattack.perturb(victim, *held_out, AutoAttackParams(**SMALL), Draws(1, torch.arange(128)))
    assert victim.ball(held_out[0]).contains(z).all()
    assert len(victim.usage(128).forwards.unique()) == 1


@EACH
def test_the_search_may_be_in_bfloat16(norm: Norm, trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    full, halves = (attack(victim_of(trained, norm), *held_out, precision=kind) for kind in ("fp32", "bf16"))
    with torch.no_grad():
        wrong = trained(halves.adversarial).argmax(1).ne(held_out[1])
    assert torch.equal(halves.success, halves.clean_correct & wrong)
    assert (full.success != halves.success).sum() <= 3


class FullPrecisionInside(nn.Module):
    """A model that switches autocast off for itself."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.body(x.float())
        return logits


def test_a_model_that_insists_on_full_precision_is_searched_in_it() -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    x = torch.rand(4, 1, 4, 4)
    victim = Victim(FullPrecisionInside(body), box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1)
    assert victim.lightened(x[:1]) is victim
    plain = Victim(body, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1)
    assert plain.lightened(x[:1]) is not plain
