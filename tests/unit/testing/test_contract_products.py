"""Planted defects of generators, of evaluations and of any component, each noticed by its check."""

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
    Evaluation,
    Generator,
    Norm,
    Params,
    Port,
    Signature,
    ThreatModel,
)
from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject
from advorch.testing.check import Verdict
from advorch.testing.contract import checks_for

COUNTER = itertools.count()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def broken(component: AnyComponent) -> dict[str, str]:
    results = [check.result() for check in checks_for(component)]
    return {result.check: result.reason for result in results if result.verdict is Verdict.BROKEN}


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
