"""Walks along gradients in a min-max problem that can be solved by hand.

One sample at zero of class 1, a linear model whose weights are zero, and a ball of two: the loss says nothing of the
input, so that every point of the ball is a maximiser, and PGD stays where it started. The gradient at delta moves the
weight by delta and the bias by one; along it the worst case is at the other end of the ball and rises wherever
2 |delta| > 1. Together the maximisers leave the bias alone, along which the worst case falls.
"""

import math
from typing import Any

import pytest
import torch
from torch import nn

from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject, SubjectModel
from advorch.testing.fakes import small_mlp, tiny_data
from advorch_builtins.attacks import catalog
from advorch_builtins.evaluations.catalog_training import DESCENT_DIRECTIONS
from advorch_builtins.evaluations.descent_directions import DescentDirections, _walks, moved, slope
from advorch_builtins.evaluations.descent_directions_report import MEAN, SHORTEST, SINGLE

EPSILON, REACH = 2.0, 0.5
PGD = {"uses": "pgd", "with": {"epsilon": EPSILON, "steps": 4, "alpha": 1.5, "random_start": True}}


def subject_of(data: Data, module: nn.Module) -> Subject:
    """A subject that knows PGD."""
    model = SubjectModel(label="net", digest="net", module=module.eval())
    return Subject(data=data, models=(model,), lookup=lambda component: catalog.PGD, seed=3)


@pytest.fixture
def flat() -> Subject:
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2)).double().eval()
    for weight in model.parameters():
        nn.init.zeros_(weight)
    x = torch.zeros(1, 1, dtype=torch.float64)
    data = Data(x=x, y=torch.tensor([1]), ids=torch.tensor([5]), classes=("a", "b"), box=None)
    return subject_of(data, model)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def params(**values: object) -> Any:
    return DESCENT_DIRECTIONS.params.parse(
        {"attack": PGD, "draws": 8, "singles": 8, "reach": REACH, "points": 2, **values}
    )


def test_one_maximisers_gradient_raises_the_worst_case_and_the_shortest_combination_lowers_it(flat: Subject) -> None:
    asked = params()
    rows = DescentDirections().map(flat, flat.data, asked)
    starts = [float(rows[f"found/0/{draw}"]) for draw in range(8)]
    assert min(starts) < -0.5 < 0.5 < max(starts)
    found = _walks(flat, 0, rows, asked)
    for change, start in zip(found.changes[SINGLE], starts, strict=True):
        margin = math.sqrt(2) * REACH * (1 - EPSILON * abs(start)) / math.sqrt(1 + start**2)
        assert float(change[-1]) == pytest.approx(softplus(-margin) - math.log(2), abs=1e-6)
        assert bool(change[-1] > 0) == (EPSILON * abs(start) > 1)
    (shortest,) = found.changes[SHORTEST]
    assert shortest.tolist() == pytest.approx(
        [softplus(-math.sqrt(2) * length) - math.log(2) for length in found.lengths], abs=1e-4
    )
    assert found.metrics()["shortest_rises"] == 0.0 < found.metrics()["single_rises"]
    assert len(found.changes[MEAN]) == 1


def test_where_all_maximisers_agree_all_directions_do(flat: Subject) -> None:
    """With a slope every attack ends at one corner: the cosines are one, and the walks the same."""
    model = flat.models[0].module
    model[1].weight.data = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    rows = DescentDirections().map(flat, flat.data, params())
    found = _walks(flat, 0, rows, params())
    assert torch.allclose(found.pairs(), torch.ones_like(found.pairs()))
    assert torch.allclose(found.changes[SINGLE][0], found.changes[SHORTEST][0], atol=1e-9)


def test_a_gradient_is_of_all_weights_and_leaves_the_model_alone() -> None:
    module = small_mlp(12, 2).eval()
    data = tiny_data()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = slope(module, data.x, data.y)
    nn.functional.cross_entropy(module(data.x), data.y).backward()
    assert torch.allclose(found, torch.cat([weight.grad.flatten() for weight in module.parameters()]))  # type: ignore[union-attr]
    other = moved(SubjectModel(label="a", digest="a", module=module), torch.ones_like(found))
    shifts = [float((mine - before[name]).mean()) for name, mine in other.module.state_dict().items()]
    assert shifts == pytest.approx([1.0] * len(shifts), abs=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_batches_are_walked_one_by_one() -> None:
    subject = subject_of(tiny_data(), small_mlp(12, 2))
    asked = params(batch=3, batches=2, draws=2, singles=1, points=2)
    rows = DescentDirections().map(subject, subject.data, asked)
    found = _walks(subject, 0, rows, asked)
    assert {name: tuple(changes.shape) for name, changes in found.changes.items()} == {
        SINGLE: (2, 3), MEAN: (2, 3), SHORTEST: (2, 3),
    }  # fmt: skip
    assert all(bool((changes[:, 0] == 0).all()) for changes in found.changes.values())
