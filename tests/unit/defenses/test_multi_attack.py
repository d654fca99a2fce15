"""Several attacks: whose turn it is, on any number of ranks and after a restart, and how they are put together."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.data import Data
from advorch.kit.training import checkpoint
from advorch.kit.training.meter import Meter
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.selection import Selection
from advorch.kit.training.step import Step
from advorch.kit.training.trainer import Recipe, Trainer
from advorch.params import AttackRef
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings
from advorch.testing.objectives import attack_by_sign
from advorch_builtins.defenses import multi_attack
from advorch_builtins.defenses.catalog_losses import MultiAttackParams

StepOf = Callable[..., Step]
THREE = [
    {"uses": "pgd", "with": {"epsilon": 0.2, "steps": 3}},
    {"uses": "pgd", "with": {"epsilon": 0.5, "norm": "l2", "steps": 3}},
    {"uses": "fgsm", "with": {"epsilon": 0.1}},
]


def number(value: Tensor) -> float:
    return float(value.detach())


def params_of(combine: str, attacks: list[dict[str, object]] = THREE) -> MultiAttackParams:
    return MultiAttackParams.parse({"attacks": attacks, "combine": combine})


def test_turns_go_by_the_index_of_the_global_batch(smooth: nn.Module, step_of: StepOf) -> None:
    for index in range(7):
        step = step_of(smooth, index=index)
        found = multi_attack.loss(step, params_of("cycle"))
        name = ["loss_pgd_linf", "loss_pgd_l2", "loss_fgsm_linf"][index % 3]
        assert set(step.logged) == {name, "accuracy"}
        alone = step_of(smooth, index=index).attack(params_of("cycle").attacks[index % 3])
        assert number(found) == pytest.approx(number(functional.cross_entropy(smooth(alone), step.y)))


def test_every_rank_has_the_same_turn(smooth: nn.Module, step_of: StepOf) -> None:
    whole = step_of(smooth, index=4)
    for rows in (slice(0, 9), slice(9, 16)):
        part = step_of(smooth, index=4, x=whole.x[rows], y=whole.y[rows], ids=whole.ids[rows])
        multi_attack.loss(part, params_of("cycle"))
        assert "loss_pgd_l2" in part.logged


def test_the_worst_is_at_least_the_average_and_each_is_what_it_says(smooth: nn.Module, step_of: StepOf) -> None:
    worst, average = (number(multi_attack.loss(step_of(smooth), params_of(name))) for name in ("worst", "average"))
    step = step_of(smooth)
    points = [step.attack(attack) for attack in params_of("worst").attacks]
    each = torch.stack([functional.cross_entropy(smooth(point), step.y, reduction="none") for point in points])
    assert worst == pytest.approx(number(each.amax(0).mean()), rel=1e-12)
    assert average == pytest.approx(number(each.mean()), rel=1e-12)
    assert worst > average


@pytest.mark.parametrize("combine", ["cycle", "average", "worst"])
def test_one_attack_is_adversarial_training(smooth: nn.Module, step_of: StepOf, combine: str) -> None:
    step = step_of(smooth)
    found = multi_attack.loss(step, params_of(combine, THREE[:1]))
    assert step.attacked is not None
    assert number(found) == pytest.approx(number(functional.cross_entropy(smooth(step.attacked), step.y)), rel=1e-12)


def test_attacks_of_one_name_and_norm_are_told_apart() -> None:
    refs = tuple(AttackRef.parse({"uses": "pgd", "with": {"epsilon": size}}) for size in (0.1, 0.2))
    assert multi_attack.names_of(refs) == ["pgd_linf_1", "pgd_linf_2"]


def test_a_mean_is_over_the_samples_that_were_told_of() -> None:
    meter = Meter("cpu")
    meter.add({"loss": 1.0, "first": 4.0}, 10)
    meter.add({"loss": 3.0, "second": 6.0}, 30)
    assert meter.means(Ranks()) == {"loss": 2.5, "first": 4.0, "second": 6.0}


def _trainer(turns: list[str]) -> Trainer:
    torch.manual_seed(0)
    x = torch.rand(28, 6)
    data = Data(x=x, y=(x[:, 0] > 0.5).long(), ids=torch.arange(28), classes=("a", "b"), box=(0.0, 1.0))

    def objective(step: Step) -> Tensor:
        loss = multi_attack.loss(step, params_of("cycle"))
        turns.append(next(name for name in step.logged if name.startswith("loss")))
        return loss

    settings = TrainingSettings(epochs=4, batch=8, lr=1e-2)
    recipe = Recipe(
        model=nn.Linear(6, 2), objective=objective, data=data, settings=settings, seeds=Seeds(0), attacks=attack_by_sign
    )
    return Trainer(recipe)


def test_turns_go_on_after_a_restart(tmp_path: Path) -> None:
    """Four batches an epoch and three attacks: a counter that began anew would give others their turn."""
    straight: list[str] = []
    trainer = _trainer(straight)
    for number in (1, 2):
        trainer.epoch(number)
    checkpoint.save(tmp_path, trainer, Selection(keep="last"))
    for number in (3, 4):
        trainer.epoch(number)
    resumed: list[str] = []
    again = _trainer(resumed)
    checkpoint.load(tmp_path, again, Selection(keep="last"))
    for number in (3, 4):
        again.epoch(number)
    assert resumed == straight[8:]
    assert all(
        torch.equal(one, other) for one, other in zip(trainer.model.parameters(), again.model.parameters(), strict=True)
    )
