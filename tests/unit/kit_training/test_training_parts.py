"""Sampling, rates, augmentation, selection, means: the small parts of the trainer."""

import math

import pytest
import torch
from torch import nn

from advorch.artifacts import Signature
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.training.augment import augmentation, random_crop, random_flip
from advorch.kit.training.meter import Meter
from advorch.kit.training.optim import make_optimizer, rate
from advorch.kit.training.precision import computing
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.sampling import Passes, Shuffled, order, share_of, steps_in_epoch, usual_sampler
from advorch.kit.training.selection import Selection
from advorch.settings import OptimizerSettings, TrainingSettings

IMAGES = Signature(shape=(1, 6, 5), classes=("a", "b"), box=(0.0, 1.0))


def test_the_permutation_is_stable() -> None:
    assert order(5, 1, 8).tolist() == [2, 6, 5, 1, 4, 3, 7, 0]
    assert order(5, 2, 8).tolist() != order(5, 1, 8).tolist()
    assert sorted(order(6, 1, 100).tolist()) == list(range(100))


@pytest.mark.parametrize(("count", "batch", "size"), [(10, 4, 1), (10, 4, 2), (11, 4, 3), (9, 4, 4), (5, 8, 2)])
def test_ranks_divide_every_global_batch(count: int, batch: int, size: int) -> None:
    sampler, permutation = Shuffled(count, batch, 3), order(3, 1, count)
    batches = [sampler.batch(1, position) for position in range(steps_in_epoch(count, batch))]
    parts = [[share_of(whole, Ranks(rank, size)) for whole in batches] for rank in range(size)]
    for step, whole in enumerate(permutation.split(batch)):
        held = [part[step].index for part in parts if part[step].weight]
        assert torch.equal(torch.cat(held), whole)
        means = [part[step].weight * part[step].index.double().mean() for part in parts]
        assert float(sum(means) / size) == pytest.approx(float(whole.double().mean()))


def test_an_epoch_of_so_many_steps_goes_through_the_data_as_often_as_it_takes() -> None:
    sampler = usual_sampler(TrainingSettings(batch=4, steps=5), 10, 3)
    assert isinstance(sampler, Passes)
    batches = [sampler.batch(epoch, position) for epoch in (1, 2) for position in range(5)]
    assert {len(batch) for batch in batches} == {4}
    for once in torch.cat(batches).split(10):
        assert sorted(once.tolist()) == list(range(10))
    again = usual_sampler(TrainingSettings(batch=4, steps=5), 10, 3)
    assert torch.equal(again.batch(2, 3), batches[8])  # whoever resumes there


def test_a_batch_may_be_larger_than_the_data() -> None:
    batch = usual_sampler(TrainingSettings(batch=25, steps=1), 10, 3).batch(1, 0)
    assert torch.bincount(batch).sort().values.tolist() == [2] * 5 + [3] * 5


def test_without_steps_an_epoch_is_once_through() -> None:
    assert isinstance(usual_sampler(TrainingSettings(), 10, 3), Shuffled)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("cosine", [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0]),
        ("step", [1, 1, 0.1, 0.01, 0.01]),
        ("cyclic", [0, 0.5, 1, 0.5, 0]),
    ],
)
def test_rates_follow_their_schedule(schedule: str, expected: list[float]) -> None:
    settings = OptimizerSettings.parse({"schedule": schedule, "lr": 2.0})
    found = [rate(settings, progress) / 2 for progress in (0, 0.25, 0.5, 0.75, 1)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("every", "expected"), [("epoch", 2 * 0.9**3), ("step", 2 * 0.9**40)])
def test_an_exponential_rate_falls_by_its_factor_after_epochs_or_after_updates(every: str, expected: float) -> None:
    settings = OptimizerSettings.parse({"schedule": "exponential", "lr": 2.0, "factor": 0.9, "factor_every": every})
    assert rate(settings, 0.5, epochs=3, steps=40) == pytest.approx(expected)
    assert rate(settings, 0.0) == 2.0


def test_dampening_makes_momentum_a_mean() -> None:
    """v <- 0.9 v + 0.1 g: of a constant gradient it becomes that gradient, and without dampening ten times as much."""
    for dampening, limit in ((0.9, 1.0), (0.0, 10.0)):
        settings = OptimizerSettings(optimizer="sgd", lr=1.0, momentum=0.9, dampening=dampening)
        weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = make_optimizer(settings, [weight])
        for _ in range(200):
            before = weight.detach().clone()
            weight.grad = torch.ones_like(weight)
            optimizer.step()
        assert float(before - weight.detach()) == pytest.approx(limit, rel=1e-6)


def test_what_belongs_to_an_optimiser_reaches_it() -> None:
    parameters = list(nn.Linear(1, 1).parameters())
    adam = make_optimizer(OptimizerSettings(optimizer="adam", betas=(0.5, 0.99)), parameters)
    assert adam.param_groups[0]["betas"] == (0.5, 0.99)
    sgd = make_optimizer(OptimizerSettings(optimizer="sgd", nesterov=True), parameters)
    assert sgd.param_groups[0]["nesterov"]
    with pytest.raises(ValueError, match="no dampening"):
        OptimizerSettings(optimizer="sgd", nesterov=True, dampening=0.5)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_optimisers_by_name_descend(name: str) -> None:
    settings = OptimizerSettings.parse({"optimizer": name, "lr": 0.05, "weight_decay": 0.01})
    layer = nn.Linear(1, 1)
    frozen = layer.bias.requires_grad_(False).clone()
    optimizer = make_optimizer(settings, layer.parameters())
    for _ in range(150):
        optimizer.zero_grad()
        (layer.weight - 1).square().sum().backward()
        optimizer.step()
    assert float(layer.weight.detach()) == pytest.approx(1, abs=0.1)
    assert torch.equal(layer.bias, frozen)
    assert optimizer.param_groups[0]["weight_decay"] == 0.01


def test_momentum_is_that_of_the_settings() -> None:
    optimizer = make_optimizer(OptimizerSettings(optimizer="sgd", momentum=0.7), nn.Linear(1, 1).parameters())
    assert optimizer.param_groups[0]["momentum"] == 0.7


def test_a_crop_is_a_shift_that_fills_with_the_low_end() -> None:
    x = torch.rand(40, 2, 6, 5) + 1
    ids = torch.arange(40)
    moved = random_crop(x, Draws(1, ids), 2, -1.0)
    corners = Draws(1, ids).integers((2,), 0, 5)
    for before, after, (dy, dx) in zip(x, moved, corners.tolist(), strict=True):
        padded = nn.functional.pad(before, (2, 2, 2, 2), value=-1.0)
        assert torch.equal(after, padded[:, dy : dy + 6, dx : dx + 5])
    assert len({tuple(corner) for corner in corners.tolist()}) > 10


def test_about_half_are_flipped() -> None:
    x = torch.rand(200, 1, 3, 4)
    flipped = random_flip(x, Draws(2, torch.arange(200)))
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    kept = (flipped == x).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 70 < int(mirrored.sum()) < 130


@pytest.mark.parametrize("name", ["shift", "rotate", "crop-flip"])
def test_a_sample_is_augmented_alike_in_any_batch(name: str) -> None:
    x, ids = torch.rand(10, 1, 6, 5), torch.arange(10)
    change = augmentation(name, IMAGES)
    whole = change(x, Draws(3, ids))
    assert torch.equal(whole[4:7], change(x[4:7], Draws(3, ids[4:7])))
    assert not torch.equal(whole, x)


def test_a_turned_disc_stays_a_disc_whose_middle_has_moved_by_a_tenth_of_the_side_at_most() -> None:
    rows, columns = torch.meshgrid(torch.arange(41.0), torch.arange(41.0), indexing="ij")
    disc = (((rows - 20) ** 2 + (columns - 20) ** 2) < 49).double()
    turned = augmentation("rotate", IMAGES)(disc.expand(60, 1, -1, -1), Draws(5, torch.arange(60)))
    mass = turned.sum((1, 2, 3))
    assert (mass - disc.sum()).abs().max() < 1.5
    middle = torch.stack([(turned * axis).sum((1, 2, 3)) / mass - 20 for axis in (rows, columns)])
    assert 3 < middle.abs().max() <= 4.1 + 0.1
    assert (middle.mean(1).abs() < 1).all()


def test_none_changes_nothing_and_points_cannot_be_shifted() -> None:
    x = torch.rand(3, 2)
    points = Signature(shape=(2,), classes=("a", "b"))
    assert augmentation("none", points)(x, Draws(0, torch.arange(3))) is x
    with pytest.raises(StageFailed, match="augment 'shift' is for images"):
        augmentation("shift", points)


def note(selection: Selection, scores: list[float], module: nn.Module) -> None:
    for epoch, score in enumerate(scores, selection.epoch + 1):
        with torch.no_grad():
            module.weight.fill_(epoch)  # type: ignore[operator]
        selection.note(epoch, {"clean_accuracy": 1 - score, "robust_accuracy": score, "loss": 0.0}, module)


def test_the_best_epoch_by_robust_accuracy_is_kept_and_ties_stay_early() -> None:
    module, selection = nn.Linear(1, 1), Selection(keep="best")
    note(selection, [0.1, 0.4, 0.4, 0.3], module)
    metrics = selection.settle(module)
    assert float(module.weight.detach()) == 2
    assert (metrics["robust_accuracy"], metrics["epochs"]) == (0.4, 4)


def test_the_last_epoch_is_kept_by_default() -> None:
    module, selection = nn.Linear(1, 1), Selection()
    note(selection, [0.4, 0.1], module)
    assert selection.settle(module)["robust_accuracy"] == 0.1
    assert float(module.weight.detach()) == 2


def test_patience_counts_epochs_without_a_better_one() -> None:
    module, selection = nn.Linear(1, 1), Selection(patience=2)
    note(selection, [0.3, 0.2], module)
    assert not selection.spent
    note(selection, [0.3], module)
    assert selection.spent


def test_means_weigh_by_samples() -> None:
    meter = Meter("cpu")
    meter.add({"loss": torch.tensor(1.0), "accuracy": 0.5}, 3)
    meter.add({"loss": 5.0, "accuracy": 1.0}, 1)
    assert meter.means(Ranks()) == {"loss": 2.0, "accuracy": 0.625}


def test_a_loss_that_is_no_number_is_an_error_of_its_class() -> None:
    meter = Meter("cpu")
    meter.add({"loss": math.nan}, 1)
    with pytest.raises(StageFailed) as caught:
        meter.means(Ranks())
    assert caught.value.error_class is ErrorClass.NAN


def test_bf16_is_for_products_only() -> None:
    layer, x = nn.Linear(2, 2), torch.rand(1, 2)
    with computing("bf16", "cpu"):
        assert layer(x).dtype is torch.bfloat16
        assert (x + 1).dtype is torch.float32
    with computing("fp32", "cpu"):
        assert layer(x).dtype is torch.float32
