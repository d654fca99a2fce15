"""One gradient a batch: where it begins, how far it goes, and what cuts it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.training.step import Step
from advorch.kit.training.strength import Strength
from advorch_builtins.defenses import fast
from advorch_builtins.defenses.catalog_fast import FastParams

StepOf = Callable[..., Step]


def attacked(step: Step, **values: object) -> Tensor:
    fast.loss(step, FastParams.parse({"epsilon": 0.1, **values}))
    assert step.attacked is not None
    return step.attacked


def middle(step_of: StepOf, model: nn.Module) -> Step:
    """Far from the ends of the box."""
    step = step_of(model, count=400)
    step.x = 0.5 + (step.x - 0.5) * 0.1
    return step


def test_a_random_start_is_cut_at_epsilon_and_mostly_ends_there(smooth: nn.Module, step_of: StepOf) -> None:
    step = middle(step_of, smooth)
    moved = (attacked(step) - step.x).abs()
    assert float(moved.max()) <= 0.1 + 1e-12
    # u + 1.25 epsilon sign: at the border for every u above -epsilon / 4, so for five eighths of the numbers
    assert float((moved > 0.1 - 1e-9).double().mean()) == pytest.approx(0.625, abs=0.03)


def test_noise_is_not_cut(smooth: nn.Module, step_of: StepOf) -> None:
    """N-FGSM: within k + 1 epsilon, half of all numbers beyond epsilon, and exactly one epsilon from the noise."""
    step = middle(step_of, smooth)
    moved = attacked(step, method="noise") - step.x
    assert 0.29 < float(moved.abs().max()) <= 0.3 + 1e-12
    assert float((moved.abs() > 0.1).double().mean()) == pytest.approx(0.5, abs=0.03)
    rest = torch.minimum((moved - 0.1).abs(), (moved + 0.1).abs())
    assert float(rest.max()) <= 0.2 + 1e-12


def test_noise_stays_in_the_box(smooth: nn.Module, step_of: StepOf) -> None:
    found = attacked(step_of(smooth), method="noise")
    assert float(found.min()) == 0.0
    assert float(found.max()) == 1.0


def test_epsilon_grows_with_the_warmup(smooth: nn.Module, step_of: StepOf) -> None:
    for method, reach in (("random-start", 1.0), ("noise", 3.0)):
        step = middle(step_of, smooth)
        step.strength = Strength(epsilon=0.25)
        moved = (attacked(step, method=method) - step.x).abs()
        assert 0.02 < float(moved.max()) <= 0.025 * reach + 1e-12


def test_a_second_pass_finds_what_the_first_did(smooth: nn.Module, step_of: StepOf) -> None:
    step = step_of(smooth)
    step.begin()
    first = attacked(step)
    with torch.no_grad():
        smooth[0].weight.mul_(-1)
    step.begin()
    assert torch.equal(attacked(step), first)


def test_a_start_outside_of_what_cuts_it_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 1"):
        FastParams.parse({"noise": 2})
    assert FastParams.parse({"noise": 2, "method": "noise"}).start == 2


def test_defaults_are_the_papers() -> None:
    cut, free = FastParams(), FastParams(method="noise")
    assert (cut.step, cut.start, cut.mode) == (1.25, 1.0, "train")
    assert (free.step, free.start) == (1.0, 2.0)
