"""The stand-ins stand in: the known distance is the distance, and a real host runs on the fake context."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.api import Dataset, Model, ModelRef, Objective, Params, Signature, StageContext, Stopped
from advorch.artifacts import ArtifactType, DataInput
from advorch.errors import UnknownComponent
from advorch.hosts import training
from advorch.kit.codecs import read_record
from advorch.kit.data import Data
from advorch.settings import TrainingSettings
from advorch.testing.fakes import (
    FakeContext,
    LinearModel,
    learnable_data,
    registry_of,
    small_conv,
    small_mlp,
    tiny_data,
)
from advorch.threat import Norm


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def shortest_step(model: LinearModel, norm: Norm) -> Tensor:
    """The unit step that changes the difference of two logits fastest."""
    slope = (model.weight[1] - model.weight[0]).detach()
    if norm is Norm.LINF:
        return slope.sign()
    if norm is Norm.L2:
        return slope / slope.norm()
    largest = slope.abs().argmax()
    return torch.zeros_like(slope).index_fill(0, largest, float(slope[largest].sign()))


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
def test_the_known_distance_is_where_the_label_changes(norm: Norm) -> None:
    model = LinearModel(12, 2)
    x = tiny_data(32, (12,), 2).x
    label = model(x).argmax(1)
    towards = torch.where(label == 0, 1.0, -1.0)[:, None] * shortest_step(model, norm)
    distance = model.distance(x, norm)[:, None]
    assert torch.equal(model(x + 0.999 * distance * towards).argmax(1), label)
    assert torch.equal(model(x + 1.001 * distance * towards).argmax(1), 1 - label)


def test_with_more_classes_the_distance_is_that_of_the_nearest() -> None:
    model = LinearModel(12, 5)
    x = tiny_data(64, (12,), 5).x
    label, distance = model(x).argmax(1), model.distance(x, Norm.L2)
    ways = torch.nn.functional.normalize(torch.randn(500, 12), dim=1)
    inside = x[:, None] + 0.999 * distance[:, None, None] * ways
    assert bool((model(inside.flatten(0, 1)).argmax(1).view(64, 500) == label[:, None]).all())


def test_building_fakes_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    first, second = small_conv(), small_conv()
    small_mlp()
    learnable_data()
    LinearModel(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(
        torch.equal(*pair) for pair in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_a_registry_of_some_components() -> None:
    registry = registry_of(MODEL, DATASET)
    assert registry.component("model/tiny") is MODEL
    assert registry.fingerprint() == {"advorch-test": "0 [test]"}
    with pytest.raises(UnknownComponent):
        registry.component("model/none")


def _model() -> Any:
    def build(params: Params, signature: Signature) -> nn.Module:
        return nn.Linear(signature.shape[0], len(signature.classes))

    return build


def _dataset() -> Any:
    def load(params: Params, split: str) -> Data:
        return learnable_data(32, (12,), 2)

    return load


def _objective() -> Any:
    return lambda step, params: nn.functional.cross_entropy(step.model(step.x), step.y)


MODEL = Model(name="tiny", summary="for a test", params=Params, load=_model)
DATASET = Dataset(name="tiny", summary="for a test", params=Params, load=_dataset)
OBJECTIVE = Objective(name="tiny", summary="for a test", params=Params, load=_objective)


def context(scratch: Path, **more: Any) -> FakeContext:
    data = DataInput(uses="tiny", params={}, split="train", digest="d")
    scratch.mkdir(exist_ok=True)
    return FakeContext(scratch=scratch, inputs={"data": (data,)}, components=registry_of(MODEL, DATASET), **more)


def test_a_real_host_runs_stops_and_resumes_on_the_fake_context(tmp_path: Path) -> None:
    settings = TrainingSettings(model=ModelRef(uses="tiny"), epochs=3, batch=8)
    whole = context(tmp_path / "whole")
    typed: StageContext = whole
    outcome = training.run(typed, OBJECTIVE, settings)
    assert [step for step, _ in whole.reports] == [1, 2, 3]
    assert outcome.outputs["model"].type is ArtifactType.MODEL
    assert read_record(outcome.outputs["model"].folder).component == "model/tiny"

    cut = context(tmp_path / "cut", stop_at=2)
    with pytest.raises(Stopped):
        training.run(cut, OBJECTIVE, settings)
    cut.stop_at = None
    resumed = training.run(cut, OBJECTIVE, settings)
    assert [step for step, _ in cut.reports] == [1, 2, 3]
    assert resumed.metrics["loss"] == outcome.metrics["loss"]
