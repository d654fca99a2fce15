import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from advorch.kit.attack.traceless import untouched


def everything(module: nn.Module) -> dict[str, object]:
    """All that an attack could leave behind, by value."""
    return {
        "modes": [part.training for part in module.modules()],
        "required": [parameter.requires_grad for parameter in module.parameters()],
        "gradients": [parameter.grad is not None and parameter.grad.tolist() for parameter in module.parameters()],
        "objects": [id(parameter.grad) for parameter in module.parameters()] + [id(each) for each in module.buffers()],
        "state": {name: value.tolist() for name, value in module.state_dict().items()},
        "python": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),
        "torch": torch.get_rng_state().tolist(),
    }


@pytest.fixture
def patient(classifier: nn.Module) -> nn.Module:
    """In training, with one frozen part in evaluation mode, one frozen weight, and gradients under way."""
    classifier.train()
    classifier.body[1].eval()
    classifier.body[0].weight.requires_grad_(False)
    classifier.head.weight.grad = torch.full_like(classifier.head.weight, 3.0)
    return classifier


def disturb(module: nn.Module) -> None:
    module.train()
    random.random(), np.random.rand(), torch.rand(3)
    point = torch.rand(8, 12, requires_grad=True)
    module(point).sum().backward()
    module.body[1].running_mean = torch.ones(16)
    for parameter in module.parameters():
        parameter.requires_grad_(True)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("seed", [None, 3])
def test_nothing_is_left_behind(patient: nn.Module, mode: str, seed: int | None) -> None:
    before = everything(patient)
    with untouched(patient, mode, seed=seed):
        disturb(patient)
        patient(torch.rand(8, 12))
    assert everything(patient) == before


def test_nothing_is_left_behind_by_an_error(patient: nn.Module) -> None:
    before = everything(patient)

    def disturb_and_fail() -> None:
        with untouched(patient):
            disturb(patient)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        disturb_and_fail()
    assert everything(patient) == before


def test_inside_the_weights_are_frozen_and_the_mode_is_set(patient: nn.Module) -> None:
    with untouched(patient):
        assert not any(part.training for part in patient.modules())
        assert not any(parameter.requires_grad for parameter in patient.parameters())
        assert all(parameter.grad is None for parameter in patient.parameters())


def test_a_module_in_training_stays_as_its_trainer_arranged_it(patient: nn.Module) -> None:
    with untouched(patient, "train"):
        assert patient.training
        assert not patient.body[1].training
    with untouched(patient.eval(), "train"):
        assert patient.body[1].training


@pytest.mark.parametrize("draw", [lambda: torch.rand(4).tolist(), random.random, lambda: np.random.rand(4).tolist()])
def test_a_seed_decides_what_is_random_inside(classifier: nn.Module, draw: Callable[[], object]) -> None:
    def inside(seed: int | None) -> object:
        draw()
        with untouched(classifier, seed=seed):
            return draw()

    assert inside(2**62 + 1) == inside(2**62 + 1)
    assert inside(1) != inside(2)
    assert inside(None) != inside(None)


def test_a_graph_from_before_still_works(patient: nn.Module) -> None:
    """Clean outputs, then an attack, then one backward pass: the order of most defences."""
    loss = patient(torch.rand(8, 12)).square().sum()
    with untouched(patient, "eval"):
        patient(torch.rand(8, 12))
    loss.backward()
    assert torch.isfinite(patient.head.weight.grad).all()
