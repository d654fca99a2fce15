"""Planted defects in models, datasets, objectives, generators and evaluations, and in what all components share."""

import itertools
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pytest
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from advorch.api import (
    Access,
    AnyComponent,
    ArtifactType,
    Attack,
    AttackRef,
    Dataset,
    Evaluation,
    Generator,
    Model,
    Norm,
    Objective,
    Params,
    Port,
    Signature,
    ThreatModel,
)
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject
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


# ---- generators


def game(draw: Callable[[nn.Module, int, torch.Generator], Tensor] | None = None, **more: Any) -> Any:
    def build(params: Params, signature: Signature) -> Game:
        shape = tuple(signature.shape)
        size = int(torch.Size(shape).numel())
        generator = nn.Sequential(nn.Linear(3, size), nn.Sigmoid(), nn.Unflatten(1, shape))
        critic = nn.Sequential(nn.Flatten(), nn.Linear(size, 1))

        def sample(count: int, rng: torch.Generator) -> Tensor:
            drawn: Tensor = generator(torch.randn(count, 3, generator=rng))
            return draw(generator, count, rng) if draw else drawn

        def judge(turn: Turn) -> Tensor:
            judged: Tensor = critic(sample(len(turn.x), turn.rng)).mean() - critic(turn.x).mean()
            return judged

        def fool(turn: Turn) -> Tensor:
            fooled: Tensor = -critic(sample(len(turn.x), turn.rng)).mean()
            return fooled

        players = (
            Player(name="generator", module=generator, optimizer=_sgd, loss=fool),
            Player(name="critic", module=critic, optimizer=more.get("optimizer", _sgd), loss=judge),
        )
        return Game(players=players, schedule=("critic", "generator"), sample=sample)

    return build


def _sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def _idle(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.0)


GENERATORS: dict[str, tuple[Any, str]] = {
    "draws globally": (game(lambda g, n, rng: g(torch.randn(n, 3))), "samples repeat under a seed"),
    "ignores the seed": (game(lambda g, n, rng: g(torch.ones(n, 3))), "samples repeat under a seed"),
    "leaves the box": (
        game(lambda g, n, rng: 2 + g(torch.randn(n, 3, generator=rng))),
        "samples fit the data",
    ),
    "one short": (game(lambda g, n, rng: g(torch.randn(max(n - 1, 1), 3, generator=rng))), "samples fit the data"),
    "an idle player": (game(optimizer=_idle), "every player moves on its turn alone"),
}


def generator(build: Any, **more: Any) -> Generator[Params]:
    return Generator(name="planted", summary="a defect", params=Params, load=lambda: build, **more)


@pytest.mark.parametrize("defect", GENERATORS)
def test_a_defect_of_a_generator_is_noticed(defect: str) -> None:
    build, check = GENERATORS[defect]
    assert check in broken(generator(build))


def test_a_generator_that_is_right_passes() -> None:
    assert broken(generator(game())) == {}
    assert "plays a few steps" in broken(generator(game(), metrics=frozenset({"loss"})))


# ---- evaluations


class Accuracy:
    """What is planted is changed in a copy."""

    def map(self, subject: Subject, batch: Data, params: Params) -> Mapping[str, Tensor]:
        return {"correct": subject.models[0].predict(batch.x).eq(batch.y)}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: Params) -> Findings:
        return Findings(metrics={"accuracy": float(rows["correct"].double().mean())})


class OneRow(Accuracy):
    def map(self, subject: Subject, batch: Data, params: Params) -> Mapping[str, Tensor]:
        return {"correct": super().map(subject, batch, params)["correct"].double().mean()[None]}


class Relative(Accuracy):
    def map(self, subject: Subject, batch: Data, params: Params) -> Mapping[str, Tensor]:
        return {"correct": batch.x.flatten(1).sum(1) - batch.x.flatten(1).sum(1).mean()}


class Undeclared(Accuracy):
    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: Params) -> Findings:
        return Findings(metrics={"precision": 1.0})


class Undefined(Accuracy):
    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: Params) -> Findings:
        return Findings(metrics={"accuracy": float("nan")})


class NoPicture(Accuracy):
    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: Params) -> Findings:
        return Findings(metrics={"accuracy": 1.0}, figures={"a figure": b"<svg/>"})


class Dice(Accuracy):
    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: Params) -> Findings:
        return Findings(metrics={"accuracy": float(torch.rand(()))})


EVALUATIONS: dict[str, tuple[type[Accuracy], str]] = {
    "a row a batch": (OneRow, "maps a row for every sample"),
    "rows relative to the batch": (Relative, "maps alike however samples are cut"),
    "an undeclared metric": (Undeclared, "declares its metrics"),
    "nan": (Undefined, "reduces to findings that can be written"),
    "no png": (NoPicture, "reduces to findings that can be written"),
    "dice": (Dice, "finds the same twice"),
}


def evaluation(kind: type[Accuracy]) -> Evaluation[Params]:
    ports = {"models": Port(ArtifactType.MODEL, many=True), "data": Port(ArtifactType.DATASET)}
    metrics = frozenset({"accuracy"})
    return Evaluation(name="planted", summary="a defect", params=Params, load=kind, ports=ports, metrics=metrics)


@pytest.mark.parametrize("defect", EVALUATIONS)
def test_a_defect_of_an_evaluation_is_noticed(defect: str) -> None:
    kind, check = EVALUATIONS[defect]
    assert check in broken(evaluation(kind))


def test_an_evaluation_that_is_right_passes() -> None:
    assert broken(evaluation(Accuracy)) == {}


# ---- what all components share


class Synonym(Params):
    num_steps: int = 1


class HostsOwn(Params):
    epsilon: float = 0.1


class Loose(Params):
    model_config = ConfigDict(extra="ignore")


class Stale(Params):
    """Its default does not keep its own bound."""

    depth: Annotated[int, Field(ge=1)] = 0


def perturb(victim: Any, x: Tensor, y: Tensor, params: Params, rng: Any) -> Tensor:
    raise AssertionError("only what is common is looked at here")


def common(params: type[Params] = Params, load: Any = lambda: perturb, summary: str = "a defect") -> set[str]:
    threat = ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF}))
    component = Attack(name="planted", summary=summary, params=params, threat=threat, load=load)
    shared = {"is described", "names are common", "parameters join the host", "defaults are valid",
              "unknown parameters are refused", "load gives a callable", "parameters survive json"}  # fmt: skip
    return shared & set(broken(component))


COMMON: dict[str, tuple[dict[str, Any], str]] = {
    "a synonym": ({"params": Synonym}, "names are common"),
    "the host's own": ({"params": HostsOwn}, "parameters join the host"),
    "unknown keys": ({"params": Loose}, "unknown parameters are refused"),
    "a stale default": ({"params": Stale}, "defaults are valid"),
    "no callable": ({"load": lambda: 7}, "load gives a callable"),
    "too few arguments": ({"load": lambda: lambda victim, x: x}, "load gives a callable"),
    "an import error": ({"load": lambda: __import__("nowhere_at_all")}, "load gives a callable"),
    "two lines": ({"summary": "one\ntwo"}, "is described"),
}


@pytest.mark.parametrize("defect", COMMON)
def test_a_common_defect_is_noticed(defect: str) -> None:
    planted, check = COMMON[defect]
    assert check in common(**planted)


def test_without_a_defect_nothing_common_is_noticed() -> None:
    assert common() == set()
