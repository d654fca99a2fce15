"""Attacks that grow with training, and a step that is looked at twice."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.step import Inner, Step
from advorch.kit.training.strength import Strength, strength
from advorch.kit.training.trainer import Place, Recipe, Trainer
from advorch.params import AttackRef
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings

PGD = AttackRef.parse({"uses": "pgd", "with": {"epsilon": "8/255", "steps": 10}})


def test_epsilon_and_steps_grow_over_their_shares() -> None:
    settings = TrainingSettings(warmup=0.5, steps_warmup=0.2)
    found = [strength(settings, progress) for progress in (0.05, 0.1, 0.25, 0.5, 1.0)]
    assert [one.epsilon for one in found] == pytest.approx([0.1, 0.2, 0.5, 1, 1])
    assert [one.steps for one in found] == pytest.approx([0.25, 0.5, 1, 1, 1])
    assert strength(TrainingSettings(), 0.001) == Strength(1.0, 1.0)


def test_an_attack_s_own_epsilon_is_shared_out_even_as_a_ratio() -> None:
    half = Strength(epsilon=0.5)
    assert half.radius(PGD, None) == pytest.approx(4 / 255)
    assert half.radius(PGD, 0.2) == pytest.approx(0.1)
    assert torch.equal(half.radius(PGD, torch.tensor([0.2, 0.4])), torch.tensor([0.1, 0.2]))  # type: ignore[arg-type]
    assert Strength().radius(PGD, None) is None


def test_steps_are_at_least_one_and_an_attack_without_any_is_left_alone() -> None:
    fgsm = AttackRef.parse({"uses": "fgsm", "with": {"epsilon": 0.1}})
    assert [Strength(steps=share).shortened(PGD).with_["steps"] for share in (0.01, 0.35, 1.0)] == [1, 4, 10]
    assert Strength(steps=0.1).shortened(fgsm) == fgsm


class Recorder:
    """Stands for any attack and tells what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, int]] = []

    def __call__(self, ref: AttackRef, mode: Any) -> Inner:
        def attack(module: nn.Module, x: Tensor, y: Tensor, rng: Any, epsilon: Any, /) -> Tensor:
            own = 8 / 255 if epsilon is None else epsilon
            self.asked.append((own, ref.with_["steps"]))  # type: ignore[arg-type]
            return x + own * rng.uniform(x.shape[1:], like=x)

        return attack


def data() -> Data:
    x = torch.rand(8, 3, generator=torch.Generator().manual_seed(0))
    return Data(x=x, y=(x[:, 0] > 0.5).long(), ids=torch.arange(8), classes=("a", "b"), box=(0.0, 1.0))


def trainer(attacks: Recorder, objective: Any, **values: Any) -> Trainer:
    torch.manual_seed(0)
    settings = TrainingSettings.parse({"batch": 2, "epochs": 1} | values)
    return Trainer(Recipe(
        model=nn.Linear(3, 2), objective=objective, data=data(), settings=settings, seeds=Seeds(1), attacks=attacks,
    ))  # fmt: skip


def test_the_first_steps_of_training_attack_gently() -> None:
    attacks = Recorder()

    def objective(step: Step) -> Tensor:
        return nn.functional.cross_entropy(step.model(step.attack(PGD)), step.y)

    trainer(attacks, objective, warmup=1.0, steps_warmup=0.5).epoch(1)
    assert [epsilon for epsilon, _ in attacks.asked] == pytest.approx([2 / 255, 4 / 255, 6 / 255, 8 / 255])
    assert [steps for _, steps in attacks.asked] == [5, 10, 10, 10]


def test_a_second_pass_meets_the_same_attacks_and_another_variant_new_ones() -> None:
    seen: list[list[Tensor]] = []

    def objective(step: Step) -> Tensor:
        seen.append([step.attack(PGD), step.attack(PGD)])
        return nn.functional.cross_entropy(step.model(seen[-1][0]), step.y)

    attacks = Recorder()
    made = trainer(attacks, objective, batch=8)
    step = made._prepare(1, 0, next(iter([_whole()])))
    for one in (step, step, step.again(1)):
        made._turn.slope(one)
    assert len(attacks.asked) == 4
    assert seen[0][0] is seen[1][0]
    assert seen[0][1] is seen[1][1]
    assert not torch.equal(seen[0][0], seen[0][1])
    assert not torch.equal(seen[0][0], seen[2][0])


def _whole() -> Any:
    from advorch.kit.training.sampling import Share

    return Share(torch.arange(8), 1.0)


def test_logs_of_a_second_pass_do_not_replace_the_first() -> None:
    values = iter([1.0, 2.0])

    def objective(step: Step) -> Tensor:
        step.log("size", next(values))
        logits = step.model(step.x)
        step.judge(logits)
        return nn.functional.cross_entropy(logits, step.y)

    made = trainer(Recorder(), objective, batch=8)
    step = made._prepare(1, 0, _whole())
    for _ in range(2):
        made._turn.slope(step)
    assert step.logged["size"] == 1.0
    assert step.right is not None


def test_ranks_without_labels_for_a_step_are_refused_beside_unlabelled_samples() -> None:
    torch.manual_seed(0)
    recipe = Recipe(
        model=nn.Linear(3, 2), objective=lambda step: step.model(step.x).sum(), data=data(), unlabelled=data(),
        settings=TrainingSettings(batch=7), seeds=Seeds(1),
    )  # fmt: skip
    with pytest.raises(StageFailed, match="1 labelled samples for 2 ranks"):
        Trainer(recipe, Place("cpu", Ranks(0, 2)))


def test_the_layout_of_images_changes_no_number() -> None:
    torch.manual_seed(0)
    x = torch.rand(8, 3, 8, 8)
    images = Data(x=x, y=torch.arange(8) % 2, ids=torch.arange(8), classes=("a", "b"), box=(0.0, 1.0))

    def objective(step: Step) -> Tensor:
        assert step.x.is_contiguous(memory_format=torch.channels_last) is laid
        logits = step.model(step.x)
        return nn.functional.cross_entropy(logits, step.y)

    weights = []
    for laid in (False, True):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
        settings = TrainingSettings(batch=4, epochs=1, channels_last=laid, precision="fp64")
        Trainer(Recipe(model=model, objective=objective, data=images, settings=settings, seeds=Seeds(1))).epoch(1)
        weights.append(torch.cat([weight.detach().flatten() for weight in model.parameters()]))
    assert torch.allclose(*weights, atol=1e-12)
