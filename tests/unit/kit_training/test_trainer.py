"""The core: what a step computes, what an attack leaves alone, and that stopping changes nothing."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.training import checkpoint
from advorch.kit.training.attacks import NamedAttacks
from advorch.kit.training.selection import Selection
from advorch.kit.training.step import Step
from advorch.kit.training.trainer import Objective, Recipe, Trainer
from advorch.kit.training.validation import Validator
from advorch.params import AttackRef
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings
from advorch_builtins.defenses.adversarial import loss as adversarial
from advorch_builtins.defenses.catalog import AdversarialParams

FGSM = AttackRef.parse({"uses": "fgsm", "with": {"epsilon": 0.25}})
PGD = AttackRef.parse({"uses": "pgd", "with": {"epsilon": 0.25, "steps": 3}})


def points(count: int = 30) -> Data:
    rng = torch.Generator().manual_seed(4)
    x = torch.rand(count, 3, generator=rng)
    return Data(x=x, y=(x.sum(1) > 1.5).long(), ids=torch.arange(count) + 100, classes=("low", "high"), box=(0.0, 1.0))


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))


def plain(step: Step) -> Tensor:
    logits: Tensor = step.model(step.x)
    step.log("accuracy", (logits.argmax(1) == step.y).float().mean())
    return functional.cross_entropy(logits, step.y)


def trainer(desk: Any, objective: Objective = plain, model: nn.Module | None = None, **values: object) -> Trainer:
    settings = TrainingSettings.parse({"batch": 8, "epochs": 2, "lr": 0.01} | values)
    attacks = NamedAttacks(desk.lookup, (0.0, 1.0))
    seeds = Seeds(9)
    data = points()
    recipe = Recipe(
        model=model or net(), objective=objective, data=data, settings=settings, seeds=seeds, attacks=attacks
    )
    return Trainer(recipe)


def seen_steps(desk: Any, objective: Objective | None = None, **values: object) -> list[Step]:
    steps: list[Step] = []

    def watching(step: Step) -> Tensor:
        steps.append(step)
        return (objective or plain)(step)

    trainer(desk, watching, **values).epoch(1)
    return steps


def test_an_epoch_sees_every_sample_once_with_its_label(desk: Any) -> None:
    steps, data = seen_steps(desk), points()
    ids = torch.cat([step.ids for step in steps])
    assert [len(step.x) for step in steps] == [8, 8, 8, 6]
    assert sorted(ids.tolist()) == data.ids.tolist()
    assert torch.equal(torch.cat([step.x for step in steps]), data.x[ids - 100])
    assert torch.equal(torch.cat([step.y for step in steps]), data.y[ids - 100])
    assert [step.progress for step in steps] == [0, 1 / 8, 2 / 8, 3 / 8]


def test_one_sgd_step_is_the_formula(desk: Any) -> None:
    model = nn.Linear(3, 2)
    before, data = model.weight.detach().clone(), points()
    logits = data.x @ before.T + model.bias.detach()
    expected = (logits.softmax(1) - functional.one_hot(data.y, 2)).T @ data.x / len(data)
    trainer(desk, model=model, batch=30, epochs=1, optimizer="sgd", momentum=0.0, lr=0.5).epoch(1)
    assert torch.allclose(model.weight.detach(), before - 0.5 * expected, atol=1e-6)


def test_reported_means_are_over_samples(desk: Any) -> None:
    model = nn.Linear(3, 2)
    metrics = trainer(desk, model=model, lr=1e-12, batch=7).epoch(1)
    data = points()
    with torch.no_grad():
        logits = model(data.x)
    assert metrics["loss"] == pytest.approx(float(functional.cross_entropy(logits, data.y)), rel=1e-5)
    assert metrics["accuracy"] == pytest.approx(float((logits.argmax(1) == data.y).float().mean()))


def one_loss(desk: Any, alpha: float, attack: AttackRef = FGSM) -> Tensor:
    """The objective's value on a fixed batch and an undisturbed model."""
    losses: list[Tensor] = []

    def objective(step: Step) -> Tensor:
        loss = adversarial(step, AdversarialParams(attack=attack, alpha=alpha))
        losses.append(loss.detach())
        return loss

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    trainer(desk, objective, model, batch=30, epochs=1, precision="fp64").epoch(1)
    return losses[0]


def test_alpha_mixes_the_pure_losses(desk: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    data = points()
    x, y = data.x.double().requires_grad_(), data.y
    clean = functional.cross_entropy(model(x), y)
    (gradient,) = torch.autograd.grad(clean, x)
    hard = functional.cross_entropy(model((x + 0.25 * gradient.sign()).clamp(0, 1)), y)
    assert hard > clean
    for alpha in (0.0, 0.3, 0.5, 1.0):
        expected = alpha * clean + (1 - alpha) * hard
        assert float(one_loss(desk, alpha)) == pytest.approx(float(expected.detach()), abs=1e-12)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_an_attack_leaves_no_trace_on_the_model(desk: Any, mode: str) -> None:
    checked = []

    def objective(step: Step) -> Tensor:
        before = {name: value.clone() for name, value in step.model.state_dict().items()}
        assert step.model.training
        adversarial = step.attack(PGD, mode=mode)  # type: ignore[arg-type]
        assert all(parameter.grad is None and parameter.requires_grad for parameter in step.model.parameters())
        assert all(torch.equal(before[name], value) for name, value in step.model.state_dict().items())
        assert all(part.training for part in step.model.modules())
        assert not adversarial.requires_grad
        assert (adversarial - step.x).abs().max() <= 0.25 + 1e-6
        checked.append(not torch.equal(adversarial, step.x))
        return functional.cross_entropy(step.model(adversarial), step.y)

    trainer(desk, objective).epoch(1)
    assert checked == [True] * 4


def test_an_attack_in_training_is_the_attack_of_evaluation(desk: Any) -> None:
    """Against a linear model FGSM moves by epsilon along the sign of the weights' difference."""
    found = []

    def objective(step: Step) -> Tensor:
        weight = step.model.weight.detach()  # type: ignore[union-attr,operator]
        away = (weight[1 - step.y] - weight[step.y]).sign()
        found.append(torch.allclose(step.attack(FGSM), (step.x + 0.25 * away).clamp(0, 1)))
        return plain(step)

    trainer(desk, objective, nn.Linear(3, 2)).epoch(1)
    assert all(found)


def test_random_numbers_belong_to_the_sample(desk: Any) -> None:
    """The same sample gets the same start in another batch of the same step index and seed."""
    steps = seen_steps(desk)
    half = steps[0].draws("noise", steps[0].ids[3:5]).uniform((2,), like=steps[0].x)
    assert torch.equal(steps[0].draws("noise").uniform((2,), like=steps[0].x)[3:5], half)
    assert not torch.equal(steps[1].draws("noise", steps[0].ids[3:5]).uniform((2,), like=steps[0].x), half)


def test_two_attacks_of_one_step_draw_apart(desk: Any) -> None:
    """One short step from a random start ends where the start was drawn."""
    apart, short = [], AttackRef.parse({"uses": "pgd", "with": {"epsilon": 0.25, "steps": 1, "alpha": 0.01}})

    def objective(step: Step) -> Tensor:
        apart.append(not torch.equal(step.attack(short), step.attack(short)))
        return plain(step)

    trainer(desk, objective, epochs=1).epoch(1)
    assert all(apart)


def test_unlabelled_batches_are_full_and_pass_over_everything(desk: Any) -> None:
    further, seen = points(12), []

    def objective(step: Step) -> Tensor:
        assert step.unlabelled is not None
        seen.append(step.unlabelled.ids)
        return plain(step)

    settings = TrainingSettings(batch=8, epochs=1)
    recipe = Recipe(
        model=net(), objective=objective, data=points(), settings=settings, seeds=Seeds(1), unlabelled=further
    )
    Trainer(recipe).epoch(1)
    assert [len(ids) for ids in seen] == [8] * 4
    assert sorted(torch.cat(seen)[:12].tolist()) == further.ids.tolist()


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_resuming_changes_no_bit(desk: Any, tmp_path: Path, optimizer: str) -> None:
    values = {"optimizer": optimizer, "schedule": "cosine", "epochs": 2}
    straight = trainer(desk, **values)
    metrics = [straight.epoch(1), straight.epoch(2)]

    first, selection = trainer(desk, **values), Selection()
    selection.note(1, first.epoch(1), first.model)
    checkpoint.save(tmp_path / "c", first, selection)
    torch.manual_seed(12345)
    second, restored = trainer(desk, **values), Selection()
    checkpoint.load(tmp_path / "c", second, restored)
    assert restored.epoch == 1
    assert second.epoch(2) == metrics[1]
    expected = state(straight.model)
    assert all(torch.equal(value, expected[name]) for name, value in state(second.model).items())


def test_a_checkpoint_holds_the_best_weights(desk: Any, tmp_path: Path) -> None:
    run, selection = trainer(desk), Selection(keep="best")
    selection.note(1, {"clean_accuracy": 0.9}, run.model)
    best = state(run.model)
    run.epoch(1)
    selection.note(2, {"clean_accuracy": 0.1}, run.model)
    checkpoint.save(tmp_path / "c", run, selection)
    assert {path.suffix for path in (tmp_path / "c").iterdir()} == {".safetensors", ".json"}
    again, restored = trainer(desk), Selection(keep="best")
    checkpoint.load(tmp_path / "c", again, restored)
    assert restored.settle(again.model) == {"clean_accuracy": 0.9, "epochs": 2.0}
    assert all(torch.equal(value, best[name]) for name, value in again.model.state_dict().items())


def test_a_checkpoint_of_another_seed_is_refused(desk: Any, tmp_path: Path) -> None:
    run = trainer(desk)
    checkpoint.save(tmp_path / "c", run, Selection())
    run.seeds = Seeds(10)
    with pytest.raises(StageFailed, match="another seed"):
        checkpoint.load(tmp_path / "c", run, Selection())


@pytest.mark.parametrize(
    ("objective", "fault"),
    [
        (lambda step: step.model(step.x).square(), r"shape \(8, 2\)"),
        (lambda step: step.x.mean(), "requires_grad False"),
    ],
)
def test_an_objective_that_returns_no_loss_is_told(desk: Any, objective: Objective, fault: str) -> None:
    with pytest.raises(StageFailed, match=fault):
        trainer(desk, objective).epoch(1)


def test_a_loss_that_overflows_ends_the_stage(desk: Any) -> None:
    with pytest.raises(StageFailed) as caught:
        trainer(desk, lambda step: plain(step) * math.inf).epoch(1)
    assert caught.value.error_class is ErrorClass.NAN


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp64", torch.float64), ("fp32", torch.float32), ("bf16", torch.float32)]
)
def test_samples_and_weights_keep_their_precision(desk: Any, precision: str, kind: torch.dtype) -> None:
    def objective(step: Step) -> Tensor:
        assert step.attack(PGD).dtype is kind
        return adversarial(step, AdversarialParams(attack=PGD, alpha=0.5))

    steps = seen_steps(desk, objective, precision=precision)
    assert steps[0].x.dtype is kind
    assert next(steps[0].model.parameters()).dtype is kind


def test_validation_counts_what_is_right_and_stays_right(desk: Any) -> None:
    """A linear model in closed form: a sample withstands if its margin exceeds epsilon times the l1 norm."""
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    x = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9], [0.55, 0.5]])
    data = Data(x=x, y=torch.tensor([1, 1, 1, 0]), ids=torch.arange(4), classes=("a", "b"), box=(0.0, 1.0))
    attack = NamedAttacks(desk.lookup, data.box)(AttackRef.parse({"uses": "fgsm", "with": {"epsilon": 0.2}}), "eval")
    model.train()
    measured = Validator(data, batch=3, seed=1, attack=attack).measure(model, trainer(desk).place.ranks)
    assert measured == {"clean_accuracy": 0.5, "robust_accuracy": 0.25, "worst_class_accuracy": 0.0}
    assert model.training
    clean = Validator(data, batch=3, seed=1).measure(model, trainer(desk).place.ranks)
    assert clean == {"clean_accuracy": 0.5, "worst_class_accuracy": 0.0}


def test_the_worst_class_is_that_which_stands_least(desk: Any) -> None:
    model = nn.Linear(2, 3, bias=False)
    model.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    x = torch.tensor([[0.9, 0.1], [0.6, 0.5], [0.1, 0.9], [0.4, 0.5]])
    data = Data(x=x, y=torch.tensor([0, 0, 1, 1]), ids=torch.arange(4), classes=("a", "b", "none"), box=(0.0, 1.0))
    attack = NamedAttacks(desk.lookup, data.box)(AttackRef.parse({"uses": "fgsm", "with": {"epsilon": 0.2}}), "eval")
    measured = Validator(data, batch=3, seed=1, attack=attack).measure(model, trainer(desk).place.ranks)
    assert measured == {"clean_accuracy": 1.0, "robust_accuracy": 0.5, "worst_class_accuracy": 0.5}


def test_an_epoch_of_steps_has_full_batches_of_both_kinds(desk: Any) -> None:
    """Few labelled samples beside many others: more updates in an epoch than a pass has, and batches of two sizes."""
    sizes, rates = [], []

    def objective(step: Step) -> Tensor:
        assert step.unlabelled is not None
        sizes.append((len(step.x), len(step.unlabelled)))
        rates.append(learner.optimizer.param_groups[0]["lr"])
        return plain(step)

    settings = TrainingSettings.parse(
        {
            "batch": 8,
            "unlabelled_batch": 5,
            "steps": 6,
            "epochs": 2,
            "lr": 1.0,
            "schedule": "exponential",
            "factor": 0.5,
        }
    )
    recipe = Recipe(
        model=net(), objective=objective, data=points(10), settings=settings, seeds=Seeds(1), unlabelled=points(12)
    )
    learner = Trainer(recipe)
    learner.epoch(1)
    learner.epoch(2)
    assert sizes == [(8, 5)] * 12
    assert rates == [1.0] * 6 + [0.5] * 6
    assert learner.samples == 48
