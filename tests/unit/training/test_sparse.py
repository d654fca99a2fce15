"""The l1 penalty: what it adds to the loss, and what it does to the weights."""

import pytest
import torch
from torch import nn

from advorch.kit.training.step import Step, no_attacks
from advorch.seeds import Seeds
from advorch.testing.fakes import LinearModel, learnable_data
from advorch_builtins.training import erm, sparse
from advorch_builtins.training.catalog import ErmParams, SparseParams


def step_of(model: nn.Module) -> Step:
    data = learnable_data(32, (12,), 2)
    return Step(
        model=model, x=data.x, y=data.y, ids=data.ids, unlabelled=None, epoch=0, index=0, progress=0.0, seeds=Seeds(0),
        attacks=no_attacks,
    )  # fmt: skip


def l1(weight: torch.Tensor) -> float:
    return float(weight.detach().abs().sum())


def test_the_loss_is_that_of_plain_training_and_lambda_times_the_norm() -> None:
    model = LinearModel(12, 2)
    step = step_of(model)
    plain = erm.loss(step, ErmParams())
    penalised = sparse.loss(step, SparseParams.parse({"lambda": 0.25}))
    assert float((penalised - plain).detach()) == pytest.approx(0.25 * l1(model.weight), rel=1e-5)
    assert float(step.logged["weight_l1"]) == pytest.approx(l1(model.weight))


def test_biases_and_scales_are_free() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    assert float(sparse.absolute_weights(model).detach()) == pytest.approx(l1(model[0].weight))
    assert float(sparse.absolute_weights(nn.BatchNorm1d(2))) == 0


def test_a_larger_lambda_leaves_smaller_weights() -> None:
    torch.manual_seed(0)
    lengths = []
    for strength in (0.0, 0.01, 0.1):
        model = LinearModel(12, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for _ in range(100):
            optimizer.zero_grad()
            sparse.loss(step_of(model), SparseParams.parse({"lambda": strength})).backward()
            optimizer.step()
        lengths.append(l1(model.weight))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 0.5 * lengths[0]
