"""Defensive distillation: whose probabilities, at which temperature, and the way of a teacher to the loss."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from advorch.artifacts import Artifact, DataInput, Signature, StoredInput
from advorch.errors import ErrorClass, StageFailed
from advorch.hosts import training
from advorch.kit.training.step import Step, no_attacks
from advorch.seeds import Seeds
from advorch.testing.fakes import FakeContext, LinearModel, learnable_data, registry_of
from advorch_builtins.datasets import catalog as datasets
from advorch_builtins.defenses import distillation
from advorch_builtins.defenses.catalog import DISTILLATION, DistillationParams
from advorch_builtins.models import catalog as models


def step_of(model: nn.Module, teacher: nn.Module | None = None) -> Step:
    data = learnable_data(32, (12,), 2)
    return Step(
        model=model, x=data.x, y=data.y, ids=data.ids, unlabelled=None, epoch=0, index=0, progress=0.0, seeds=Seeds(0),
        attacks=no_attacks, teacher=teacher,
    )  # fmt: skip


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_a_pupil_learns_the_softened_probabilities_of_its_teacher(temperature: float) -> None:
    pupil, teacher = LinearModel(12, 2, seed=1), LinearModel(12, 2, seed=2)
    step = step_of(pupil, teacher)
    found = distillation.loss(step, DistillationParams(temperature=temperature))
    with torch.no_grad():
        soft = (teacher(step.x) / temperature).softmax(1)
        own = (pupil(step.x) / temperature).log_softmax(1)
    assert found.item() == pytest.approx(-(soft * own).sum(1).mean().item(), rel=1e-4)
    found.backward()
    assert pupil.weight.grad is not None
    assert teacher.weight.grad is None


def test_a_teacher_learns_the_labels() -> None:
    step = step_of(LinearModel(12, 2))
    found = distillation.loss(step, DistillationParams(temperature=5.0))
    assert found.item() == pytest.approx(functional.cross_entropy(step.model(step.x) / 5, step.y).item())


def test_the_port_is_there_for_those_who_ask_for_it() -> None:
    assert DISTILLATION.inputs()["teacher"].optional


def train(context: FakeContext, **values: object) -> StoredInput:
    params = {"model": {"uses": "mlp", "with": {"hidden": [16]}}, "epochs": 20, "batch": 32, "lr": 0.03, **values}
    outcome = training.run(context, DISTILLATION, DISTILLATION.schema().parse(params))
    output = outcome.outputs["model"]
    return StoredInput(artifact=Artifact(type=output.type, files={}, meta=output.meta), folder=output.folder)


def desk(folder: Path, **inputs: object) -> FakeContext:
    components = registry_of(*datasets.advorch_components(), *models.advorch_components())
    data = DataInput(uses="digits", params={}, split="train[:300]", digest="d")
    ports = {"data": (data,), **{name: (given,) for name, given in inputs.items()}}
    return FakeContext(scratch=folder, components=components, inputs=ports)  # type: ignore[arg-type]


def test_a_pupil_used_at_one_is_far_surer_than_its_training(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    teacher = train(desk(tmp_path / "teacher"))
    pupil = train(desk(tmp_path / "pupil", teacher=teacher))
    context = desk(tmp_path)
    module = training.open_model(context, pupil).module
    x = training.open_data(context, context.inputs["data"][0]).x
    logits = module(x).detach()
    assert float((logits.topk(2).values[:, 0] - logits.topk(2).values[:, 1]).median()) > 30


def test_a_teacher_of_other_data_is_refused(tmp_path: Path) -> None:
    context = desk(tmp_path / "teacher", teacher=train(desk(tmp_path / "other"), epochs=1))
    with pytest.raises(StageFailed, match="the teacher is of shape") as caught:
        training.open_teacher(context, Signature(shape=(3,), classes=("a", "b")))
    assert caught.value.error_class is ErrorClass.USER
