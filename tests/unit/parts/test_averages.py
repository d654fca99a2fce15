"""Weights that follow, statistics that are taken anew, and the end of catastrophic overfitting."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.training.parts import Parts
from advorch.params import AttackRef
from advorch_builtins.parts.averages import Ema, Swa, ema, swa
from advorch_builtins.parts.overfitting_guard import OverfittingGuard, overfitting_guard
from advorch_builtins.parts.params import EmaParams, NoParams, OverfittingGuardParams, SwaParams
from advorch_builtins.parts.recomputed_statistics import recomputed_statistics

ATTACK = AttackRef.parse({"uses": "stand-in", "with": {"epsilon": 0.05}})


def at(value: float) -> nn.Module:
    model = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        model.weight.fill_(value)
    return model


def lent(average: Any) -> float:
    model = at(0.0)
    average.lend(model)
    return float(model.weight.detach())


def test_the_exponential_average_is_its_recursion() -> None:
    average, expected = Ema(at(1.0), 0.5), 1.0
    for seen, value in enumerate([2.0, -1.0, 4.0, 0.5, 3.0, 1.0, 2.0, 7.0, 1.0, 2.0, 3.0, 5.0]):
        average.follow(at(value), 0.0)
        decay = min(0.5, (1 + seen) / (10 + seen))
        expected = decay * expected + (1 - decay) * value
    assert lent(average) == pytest.approx(expected)


def test_the_equal_average_starts_where_it_is_told() -> None:
    average = Swa(at(0.0), SwaParams(start=0.5, every=2))
    for progress, value in [(0.2, 9.0), (0.4, 8.0)]:
        average.follow(at(value), progress)
    assert lent(average) == 8
    for progress, value in [(0.5, 1.0), (0.6, 100.0), (0.7, 2.0), (0.8, 100.0), (0.9, 6.0)]:
        average.follow(at(value), progress)
    assert lent(average) == pytest.approx(3)


def test_the_average_is_handed_over_and_the_trained_weights_go_on(workshop: Any) -> None:
    trainer = workshop.trainer(ema, EmaParams(decay=0.9), batch=4, epochs=3)
    trainer.epoch(1)
    kept, trained = trainer.judged().state_dict(), trainer.model.state_dict()
    assert not torch.equal(kept["0.weight"], trained["0.weight"])
    assert torch.equal(kept["0.weight"], trainer.parts.average.weights[0])


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def test_statistics_are_the_plain_average_over_batches(workshop: Any) -> None:
    trainer = workshop.trainer(recomputed_statistics, NoParams(), normed(), batch=8, epochs=2)
    trainer.epoch(1)
    running = trainer.model[1].running_mean.clone()
    handed, data = trainer.judged(), workshop.cloud()
    before = [handed[0](data.x[start : start + 8]).detach() for start in (0, 8, 16)]
    assert torch.allclose(handed[1].running_mean, torch.stack([one.mean(0) for one in before]).mean(0))
    assert torch.allclose(handed[1].running_var, torch.stack([one.var(0) for one in before]).mean(0))
    assert torch.equal(trainer.model[1].running_mean, running)
    assert handed[1].momentum == 0.1


def test_the_equal_average_has_statistics_of_its_own(workshop: Any) -> None:
    trainer = workshop.trainer(swa, SwaParams(start=0.0, every=1), normed(), batch=8, epochs=2, lr=1.0)
    trainer.epoch(1)
    handed, data = trainer.judged(), workshop.cloud()
    inside = torch.stack([handed[0](data.x[start : start + 8]).detach().mean(0) for start in (0, 8, 16)])
    assert torch.allclose(handed[1].running_mean, inside.mean(0))


class Brittle(nn.Module):
    """Right about everything, until it is broken."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(share, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        right = torch.nn.functional.one_hot((x[:, 0] * 2).long(), 2).double()
        places = torch.arange(len(x)) < self.share * len(x)
        return torch.where(places[:, None], right, 1 - right) + 0 * self.share


def test_the_guard_ends_with_the_weights_before_the_fall(workshop: Any) -> None:
    trainer = workshop.trainer(overfitting_guard, OverfittingGuardParams(attack=ATTACK, drop=0.2), Brittle())
    (guard,) = trainer.parts.watchers
    guard._attack = lambda model, x, y, rng, epsilon: x
    shares = [1.0, 0.9, 0.75, 0.5]  # the last loses more than 0.2 of all
    verdicts = []
    for number, share in enumerate(shares, 1):
        trainer.model.share.data.fill_(share)
        verdicts.append(trainer.watched(number))
    assert verdicts == [False, False, False, True]
    assert float(trainer.model.share.detach()) == 0.75


def test_a_restored_guard_remembers(workshop: Any) -> None:
    params = OverfittingGuardParams(attack=ATTACK, drop=0.2)
    guards = [workshop.trainer(overfitting_guard, params, Brittle()).parts.watchers[0] for _ in range(2)]
    for guard in guards:
        guard._attack = lambda model, x, y, rng, epsilon: x
    model = Brittle(1.0)
    assert not guards[0].watch(model, 1)
    guards[1].restore(guards[0].state())
    model.share.data.fill_(0.3)
    assert guards[1].watch(model, 2)
    assert isinstance(guards[1], OverfittingGuard)
    assert float(model.share.detach()) == 1.0


def test_a_fall_undoes_the_average_too(workshop: Any) -> None:
    """By epochs that a stand-in attack judges: the third learns labels that are turned round, and is undone."""
    data = workshop.cloud(count=64)
    turned = {"now": False}

    def objective(step: Any) -> Tensor:
        logits = step.model(step.x)
        y = 1 - step.y if turned["now"] else step.y
        return nn.functional.cross_entropy(logits, y)

    def both(site: Any, params: OverfittingGuardParams) -> Parts:
        return overfitting_guard(site, params).joined(ema(site, EmaParams(decay=0.5)))

    params = OverfittingGuardParams(attack=ATTACK, drop=0.2)
    trainer = workshop.trainer(
        both, params, data=data, objective=objective, batch=8, epochs=9, optimizer="adam", lr=0.1
    )
    found = []
    for number in (1, 2, 3):
        turned["now"] = number == 3
        trainer.epoch(number)
        if number == 2:
            trained = {name: value.clone() for name, value in trainer.model.state_dict().items()}
            trainer.watched(number)
            followed = {name: value.clone() for name, value in trainer.judged().state_dict().items()}
        else:
            found.append(trainer.watched(number))
    assert found == [False, True]
    assert all(torch.equal(value, trained[name]) for name, value in trainer.model.state_dict().items())
    assert all(torch.equal(value, followed[name]) for name, value in trainer.judged().state_dict().items())


def test_the_guard_looks_at_the_first_batch_that_is_trained_on(workshop: Any) -> None:
    data = workshop.cloud(count=40)
    ordered = data.take(data.y.argsort())
    seen: list[Tensor] = []

    def objective(step: Any) -> Tensor:
        seen.append(step.ids)
        return nn.functional.cross_entropy(step.model(step.x), step.y)

    params = OverfittingGuardParams(attack=ATTACK)
    trainer = workshop.trainer(overfitting_guard, params, data=ordered, objective=objective, batch=10)
    trainer.epoch(1)
    assert trainer.parts.watchers[0]._batch.ids.tolist() == seen[0].tolist()


def test_a_remainder_of_one_sample_is_no_batch(workshop: Any) -> None:
    trainer = workshop.trainer(recomputed_statistics, NoParams(), normed(), data=workshop.cloud(25), batch=8, steps=3)
    trainer.epoch(1)
    assert bool(torch.isfinite(trainer.judged()[1].running_var).all())


def test_there_is_one_average(workshop: Any) -> None:
    def both(site: Any, params: EmaParams) -> Parts:
        return ema(site, params).joined(swa(site, SwaParams()))

    with pytest.raises(StageFailed, match="two parts want to decide how weights are averaged"):
        workshop.trainer(both, EmaParams())
