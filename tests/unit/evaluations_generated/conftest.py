"""Generated samples of which an evaluation must find what was put into them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from advorch.components import Evaluation
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.registry.discovery import discover
from advorch.testing import evaluations
from advorch.testing.fakes import small_mlp, tiny_data

REGISTRY = discover()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def evaluate() -> Callable[..., Findings]:
    def run(name: str, subject: Subject, **params: Any) -> Findings:
        component = REGISTRY.component(f"evaluate/{name}")
        assert isinstance(component, Evaluation)
        parsed = component.params.parse(params)
        rows = evaluations.rows_of(component.load(), subject, parsed, 64)
        return component.load().reduce(subject, rows, parsed)

    return run


def points(count: int, seed: int, shift: float = 0.0, size: int = 2) -> Data:
    """Standard normal points, moved along the first axis; class 1 lies right of the middle."""
    x = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    return Data(x=x + shift * torch.eye(size)[0], y=(x[:, 0] > 0).long(), ids=torch.arange(count), classes=("l", "r"))


@pytest.fixture
def new_points() -> Callable[..., Data]:
    return points


@pytest.fixture
def images() -> Subject:
    """Small images, samples that are copies of the first of them, and a model of them."""
    data = tiny_data(80, (1, 4, 4), 2)
    model = SubjectModel(label="net", digest="abcdef0123456789", module=small_mlp(16, 2).eval())
    copies = replace(data.take(slice(30)), y=torch.full((30,), -1))
    held_out = tiny_data(60, (1, 4, 4), 2, seed=1)
    return Subject(data=data, samples=copies, models=(model,), datasets={"data": data, "held_out": held_out})
