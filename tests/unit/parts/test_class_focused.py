"""The bandit over classes: what it draws, what it learns, and that ranks agree."""

from typing import Any

import pytest
import torch

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch_builtins.parts.class_focused import Bandit, class_focused
from advorch_builtins.parts.params import ClassFocusedParams


def bandit(workshop: Any, **values: Any) -> Bandit:
    data = workshop.cloud(count=400, classes=4)
    trainer = workshop.trainer(
        class_focused, ClassFocusedParams.parse(values), workshop.smooth(4), data=data, batch=100
    )
    sampler = trainer.parts.sampler
    assert isinstance(sampler, Bandit)
    return sampler


def test_classes_are_drawn_by_their_probabilities(workshop: Any) -> None:
    sampler, data = bandit(workshop, gamma=0.5), workshop.cloud(count=400, classes=4)
    sampler.values = torch.tensor([0.0, 0.0, 0.0, 9.0], dtype=torch.float64)
    expected = 0.5 / 4 + 0.5 * torch.tensor([0.0, 0.0, 0.0, 9.0], dtype=torch.float64).softmax(0)
    assert torch.allclose(sampler.probabilities, expected)
    drawn = torch.cat([data.y[sampler.batch(epoch, at)] for epoch in range(1, 101) for at in range(4)])
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert shares.tolist() == pytest.approx(expected.tolist(), abs=0.01)  # 40,000 draws: 4 standard errors


def test_samples_of_a_class_are_drawn_evenly(workshop: Any) -> None:
    sampler = bandit(workshop, gamma=1.0)
    drawn = torch.cat([sampler.batch(epoch, at) for epoch in range(1, 101) for at in range(4)])
    seen = torch.bincount(drawn, minlength=400)
    assert int(seen.min()) > 40
    assert int(seen.max()) < 180


def test_a_mistake_counts_by_how_unlikely_its_class_was(workshop: Any) -> None:
    sampler = bandit(workshop, eta=0.1, gamma=0.5)
    sampler.values = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    before, chances = sampler.values.clone(), sampler.probabilities.clone()
    step = workshop.step(workshop.smooth(4), workshop.cloud(count=400, classes=4).take(torch.arange(6)))
    step.y, step.right = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([False, True, False, False, False, True])
    sampler.learn(step)
    expected = before + 0.1 * torch.tensor([1.0, 1.0, 2.0, 0.0], dtype=torch.float64) / chances
    assert torch.allclose(sampler.values, expected)


def test_padding_of_an_empty_rank_teaches_nothing(workshop: Any) -> None:
    sampler = bandit(workshop, eta=0.1)
    step = workshop.step(workshop.smooth(4), workshop.cloud(count=400, classes=4).take(torch.arange(1)))
    step.right, step.weight = torch.tensor([False]), 0.0
    sampler.learn(step)
    assert not sampler.values.any()


def test_it_draws_the_same_again_and_other_batches_at_other_places(workshop: Any) -> None:
    one, other = bandit(workshop), bandit(workshop)
    assert torch.equal(one.batch(2, 1), other.batch(2, 1))
    assert not torch.equal(one.batch(2, 1), one.batch(2, 2))


def test_the_hard_class_is_drawn_more_in_training(workshop: Any) -> None:
    """One class cannot be told from another, so it is mistaken again and again."""
    data = workshop.cloud(count=400, classes=4)
    x = data.x.clone()
    x[data.y == 3] = x[data.y == 0][: int((data.y == 3).sum())].repeat(2, 1)[: int((data.y == 3).sum())]
    hard = Data(x=x, y=data.y, ids=data.ids, classes=data.classes, box=data.box)
    params = ClassFocusedParams(eta=0.002, gamma=0.5)
    trainer = workshop.trainer(
        class_focused, params, workshop.smooth(4), data=hard, batch=50, epochs=30, optimizer="adam", lr=0.02
    )
    for number in range(1, 31):
        trainer.epoch(number)
    chances = trainer.parts.sampler.probabilities
    assert bool(chances[[0, 3]].min() > chances[[1, 2]].max())


def test_every_class_needs_samples(workshop: Any) -> None:
    data = workshop.cloud(classes=4)
    lacking = data.take((data.y != 2).nonzero().squeeze(1))
    with pytest.raises(StageFailed, match="none of c"):
        workshop.trainer(class_focused, ClassFocusedParams(), workshop.smooth(4), data=lacking)


def test_a_loss_that_judges_nothing_is_told_so(workshop: Any) -> None:
    sampler = bandit(workshop)
    step = workshop.step(workshop.smooth(4))
    with pytest.raises(StageFailed, match="has seen no predictions"):
        sampler.learn(step)
