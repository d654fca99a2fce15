"""Subjects small enough to know what an evaluation must find."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import AnyComponent, Evaluation
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing import evaluations
from advorch.testing.fakes import LinearModel, small_mlp, tiny_data
from advorch_builtins.attacks import catalog, catalog_fixed

ATTACKS: Mapping[str, AnyComponent] = {
    component.id: component
    for component in (catalog.FGSM, catalog.PGD, catalog_fixed.BIM, catalog_fixed.PROXIMAL, catalog_fixed.DIFFERENCE)
}


def find(component: str) -> AnyComponent:
    return ATTACKS[component]


def subject_of(data: Data, **modules: nn.Module) -> Subject:
    models = tuple(SubjectModel(label=label, digest=label, module=module.eval()) for label, module in modules.items())
    return Subject(data=data, data_digest="data", models=models, lookup=find, seed=7)


def rows_of(component: Evaluation[Any], subject: Subject, size: int = 5, **params: Any) -> dict[str, Tensor]:
    return evaluations.rows_of(component.load(), subject, component.params.parse(params), size)


def findings_of(component: Evaluation[Any], subject: Subject, **params: Any) -> Findings:
    rows = rows_of(component, subject, **params)
    return component.load().reduce(subject, rows, component.params.parse(params))


Evaluate = Callable[..., Findings]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def evaluate() -> Evaluate:
    return findings_of


@pytest.fixture
def rows() -> Callable[..., dict[str, Tensor]]:
    return rows_of


@pytest.fixture
def pair() -> Subject:
    """Sixteen points of two classes and a linear model whose boundary runs between them."""
    return subject_of(tiny_data(16, (12,), 2), linear=LinearModel(12, 2))


@pytest.fixture
def images() -> Subject:
    """Small images of three classes, a linear model and one that bends."""
    data = tiny_data(12, (1, 4, 4), 3)
    return subject_of(data, linear=LinearModel(16, 3), bent=small_mlp(16, 3))
