"""Planted defects in models, datasets, objectives, generators and evaluations, and in what all components share."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.api import (
    AnyComponent,
    AttackRef,
    Dataset,
    Model,
    Objective,
    Params,
    Signature,
)
from advorch.kit.data import Data
from advorch.kit.training.step import Step
from advorch.testing.check import Verdict
from advorch.testing.contract import checks_for
from advorch.testing.fakes import tiny_data

COUNTER = itertools.count()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def broken(component: AnyComponent) -> dict[str, str]:
    results = [check.result() for check in checks_for(component)]
    return {result.check: result.reason for result in results if result.verdict is Verdict.BROKEN}


# ---- models


def linear(params: Params, signature: Signature) -> nn.Module:
    size = int(torch.Size(signature.shape).numel())
    return nn.Sequential(nn.Flatten(), nn.Linear(size, len(signature.classes)))


def one_class_short(params: Params, signature: Signature) -> nn.Module:
    return nn.Sequential(linear(params, signature), nn.Linear(len(signature.classes), 1))


def own_seed(params: Params, signature: Signature) -> nn.Module:
    torch.manual_seed(next(COUNTER))
    return linear(params, signature)


class Forgetful(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.factor = torch.rand(())  # neither a parameter nor a buffer

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x) * self.factor
        return logits


class BatchMean(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = super().forward(x)
        return logits - logits.mean(0)


class Rounded(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(super().forward(x).detach().round())


def tied(params: Params, signature: Signature) -> nn.Module:
    module = nn.Sequential(linear(params, signature), nn.Linear(len(signature.classes), len(signature.classes)))
    module.append(nn.Linear(len(signature.classes), len(signature.classes)))
    module[2].weight = module[1].weight
    return module


MODELS: dict[str, tuple[Callable[[Params, Signature], nn.Module], str]] = {
    "too few logits": (one_class_short, "gives one logit a class"),
    "a seed of its own": (own_seed, "is built alike under a seed"),
    "state outside the state dict": (lambda p, s: Forgetful(linear(p, s)), "has weights that safetensors can hold"),
    "tied weights": (tied, "has weights that safetensors can hold"),
    "depends on the batch": (lambda p, s: BatchMean(linear(p, s)), "judges a sample alone as in a batch"),
    "no gradient": (lambda p, s: Rounded(linear(p, s)), "grants what it says"),
}


def model(build: Any) -> Model[Params]:
    return Model(name="planted", summary="a defect", params=Params, load=lambda: build)


@pytest.mark.parametrize("defect", MODELS)
def test_a_defect_of_a_model_is_noticed(defect: str) -> None:
    build, check = MODELS[defect]
    assert check in broken(model(build))


def test_a_model_that_is_right_passes() -> None:
    assert broken(model(linear)) == {}


# ---- datasets


def data(**changes: Any) -> Callable[[Params, str], Data]:
    def load(params: Params, split: str) -> Data:
        good = tiny_data(8, (4,), 2)
        values = {name: getattr(good, name) for name in ("x", "y", "ids", "classes", "box")}
        return Data(**{**values, **{name: change(values[name]) for name, change in changes.items()}})

    return load


DATASETS: dict[str, tuple[Callable[[Params, str], Data], str]] = {
    "ids repeat": (data(ids=torch.zeros_like), "has a row for every id"),
    "short labels": (data(y=lambda y: y[:-1]), "has a row for every id"),
    "outside the box": (data(x=lambda x: x + 1), "keeps to its box"),
    "another box": (data(box=lambda _: (-1.0, 1.0)), "keeps to its box"),
    "bytes": (data(x=lambda x: (x * 255).byte()), "keeps to its box"),
    "a label too many": (data(y=lambda y: y + 1), "has labels in range"),
    "random": (data(x=lambda x: torch.rand(8, 4)), "loads the same twice"),
}


def dataset(load: Any, **more: Any) -> Dataset[Params]:
    return Dataset(name="planted", summary="a defect", params=Params, load=lambda: load, **more)


@pytest.mark.parametrize("defect", DATASETS)
def test_a_defect_of_a_dataset_is_noticed(defect: str) -> None:
    load, check = DATASETS[defect]
    assert check in broken(dataset(load))


def test_a_dataset_that_is_right_passes_and_one_without_its_files_is_let_off(tmp_path: Any) -> None:
    assert broken(dataset(data())) == {}
    absent = dataset(data(x=lambda x: x + 1), files=lambda params: [tmp_path / "gone"])
    results = {result.check: result for result in (check.result() for check in checks_for(absent))}
    assert results["keeps to its box"].verdict is Verdict.SKIPPED
    assert "gone" in results["keeps to its box"].reason


# ---- objectives


class WithAttack(Params):
    attack: AttackRef


def adversarial(step: Step, params: WithAttack) -> Tensor:
    z = step.attack(params.attack)
    step.log("accuracy", 0.5)
    return nn.functional.cross_entropy(step.model(z), step.y)


def by_sample(step: Step, params: Params) -> Tensor:
    return nn.functional.cross_entropy(step.model(step.x), step.y, reduction="none")


def detached(step: Step, params: Params) -> Tensor:
    return nn.functional.cross_entropy(step.model(step.x), step.y).detach()


def infinite(step: Step, params: Params) -> Tensor:
    return nn.functional.cross_entropy(step.model(step.x), step.y) * torch.inf


def impatient(step: Step, params: Params) -> Tensor:
    with torch.no_grad():
        next(step.model.parameters()).mul_(0.9)
    return nn.functional.cross_entropy(step.model(step.x), step.y)


def sleepy(step: Step, params: Params) -> Tensor:
    return nn.functional.cross_entropy(step.model.eval()(step.x), step.y)


def moody(step: Step, params: Params) -> Tensor:
    return nn.functional.cross_entropy(step.model(step.x), step.y) * (1 + next(COUNTER))


def talkative(step: Step, params: Params) -> Tensor:
    loss = nn.functional.cross_entropy(step.model(step.x), step.y)
    step.log("ratio", torch.tensor(0.0) / 0)
    return loss


def backwards(step: Step, params: Params) -> Tensor:
    return -nn.functional.cross_entropy(step.model(step.x), step.y)


OBJECTIVES: dict[str, tuple[Callable[[Step, Params], Tensor], str]] = {
    "a number a sample": (by_sample, "gives one finite number with a gradient"),
    "no gradient": (detached, "gives one finite number with a gradient"),
    "infinite": (infinite, "gives one finite number with a gradient"),
    "updates weights": (impatient, "leaves weights and modes alone"),
    "leaves eval mode": (sleepy, "leaves weights and modes alone"),
    "depends on the call": (moody, "is the same under the same draws"),
    "logs nan": (talkative, "logs finite numbers"),
    "descends the wrong way": (backwards, "trains a model"),
}


def objective(loss: Any, params: type[Params] = Params) -> Objective[Any]:
    return Objective(name="planted", summary="a defect", params=params, load=lambda: loss)


@pytest.mark.parametrize("defect", OBJECTIVES)
def test_a_defect_of_an_objective_is_noticed(defect: str) -> None:
    loss, check = OBJECTIVES[defect]
    assert check in broken(objective(loss))


def test_an_objective_that_names_an_attack_is_given_one() -> None:
    assert broken(objective(adversarial, WithAttack)) == {}
