"""Every check that probes a model: one model that fails it, and one that does not."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.testing.fakes import small_mlp, tiny_data
from advorch_builtins.evaluations.sanity import known

Lab = SimpleNamespace
STAIRS = 8


def staircase(x: Tensor) -> Tensor:
    return (x * STAIRS).round() / STAIRS


def shattered(x: Tensor) -> Tensor:
    return x + 0.03 * torch.sin(2000 * x)


class Noisy(nn.Module):
    """Draws at every call, in evaluation mode too."""

    def __init__(self, model: nn.Module, sigma: float) -> None:
        super().__init__()
        self.model, self.sigma = model, sigma

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x + self.sigma * torch.randn_like(x))
        return logits


class Masked(nn.Module):
    """Most of what it says of the input is drawn anew each time."""

    def forward(self, x: Tensor) -> Tensor:
        drawn = (torch.randn_like(x) * x).sum(1)
        return torch.stack([drawn, -drawn, 0.01 * x.sum(1) - 5], 1)


class Counting(nn.Module):
    """Keeps statistics in evaluation mode."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        logits: Tensor = self.model(x)
        return logits


class Cleaning(nn.Module):
    """Goes down a gradient before it answers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            point = x if x.requires_grad else x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.model(point).square().sum(), point)
        logits: Tensor = self.model(x - 0.01 * slope.detach())
        return logits


class Backwards(torch.autograd.Function):
    """The identity with a gradient of the wrong sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return -slopes[0]


def island(centre: float, width: float) -> Callable[[Tensor], Tensor]:
    """Class one between two distances alone, with a slope that points there from both sides."""
    return lambda way: (width - (way - centre).abs()) * 50


def bait(way: Tensor) -> Tensor:
    """Falls after a quarter of a tenth, and fools at the very end."""
    return torch.where(way > 0.095, torch.ones_like(way), -1 + 4 * (0.02 - (way - 0.02).abs()))


def hidden_rival(x: Tensor) -> Tensor:
    """The second class stands still just below the first; the third is far below, and rises."""
    level = torch.full_like(x[:, 0], 1.0)
    return torch.stack([level, level - 0.1, 40 * (x[:, 0] - 0.5)], 1)


class Rival(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return hidden_rival(x)


def drop(x: Tensor) -> Tensor:
    return functional.dropout(x, 0.4, training=True)


def mixed(z: Tensor) -> Tensor:
    return z - 0.5 * z.mean(0)


def straight_through(x: Tensor) -> Tensor:
    return x + (staircase(x) - x).detach()


FAULTS: dict[str, Callable[[Lab], nn.Module]] = {
    "S1": lambda lab: lab.Faulty(lab.sound(), before=drop),
    "S2": lambda lab: lab.Faulty(lab.sound(), before=staircase),
    "S7": lambda lab: lab.Faulty(lab.sound(), before=staircase),
    "S8": lambda lab: lab.Faulty(lab.sound(), before=staircase),
    "S10": lambda lab: lab.Faulty(lab.sound(), before=staircase),
    "S11": lambda lab: lab.Faulty(lab.sound(), after=lambda z: z.softmax(1)),
    "S12": lambda lab: Noisy(lab.sound(), 0.1),
    "S14": lambda lab: Cleaning(small_mlp(12, 3)),
    "S15": lambda lab: lab.Faulty(lab.sound(), before=staircase),
    "S16": lambda lab: lab.Faulty(lab.sound(), before=shattered),
    "S17": lambda lab: lab.Faulty(lab.sound(), before=shattered),
    "S23": lambda lab: lab.Faulty(lab.sound(), after=mixed),
    "S26": lambda lab: lab.Faulty(lab.sound(), after=lambda z: torch.cat([z, z[:, :1] - 9], 1)),
    "S27": lambda lab: lab.Faulty(lab.sound(), before=staircase),
    "S29": lambda lab: Counting(lab.sound()),
    "S30": lambda lab: lab.Faulty(lab.sound(), before=staircase),
}
SOUND = [*(name for name in FAULTS if name != "S13"), "S3", "S4", "S5", "S6", "S9", "S28"]


@pytest.mark.parametrize("check", FAULTS)
def test_a_fault_is_found(lab: Lab, check: str) -> None:
    module = FAULTS[check](lab)
    data = lab.samples_of(lab.sound())
    verdict, why = lab.ask(check, module, data)
    assert verdict == "fail", why


@pytest.mark.parametrize("check", SOUND)
def test_a_sound_model_passes(lab: Lab, check: str) -> None:
    verdict, why = lab.ask(check, lab.sound())
    assert verdict == "pass", why


@pytest.mark.parametrize("check", ["S10", "S14", "S15", "S16", "S17", "S23", "S27", "S29"])
def test_a_smooth_net_passes(lab: Lab, check: str) -> None:
    verdict, why = lab.ask(check, small_mlp(12, 3), norm="l2", epsilon=0.3)
    assert verdict == "pass", why


def test_samples_outside_of_their_box_fail_at_epsilon_zero(lab: Lab) -> None:
    """Normalised by hand, and said to be raw: whoever clips them changes them."""
    data = lab.samples_of(lab.sound())
    normalised = type(data)(x=2 * data.x - 1, y=data.y, ids=data.ids, classes=data.classes, box=data.box)
    verdict, why = lab.ask("S1", lab.sound(), normalised)
    assert verdict == "fail"
    assert "outside of their box" in why


def test_accuracy_that_rises_with_epsilon_fails(lab: Lab) -> None:
    """Only the steps of the smallest ball are short enough to land on the island."""
    verdict, why = lab.ask("S3", lab.Profile(island(0.0125, 0.002)), lab.middle())
    assert verdict == "fail", why
    assert why.startswith("0.0%, 100.0%, 100.0% stand")


def test_one_step_that_beats_many_fails(lab: Lab) -> None:
    verdict, why = lab.ask("S4", lab.Profile(bait), lab.middle())
    assert verdict == "fail", why
    assert "one step fools 100.0%, 5 fool 0.0%" in why


def test_an_attack_that_more_steps_make_stronger_has_not_converged(lab: Lab) -> None:
    verdict, why = lab.ask("S5", lab.Profile(island(0.0625, 0.002)), lab.middle(), steps=2)
    assert verdict == "fail", why


def test_restarts_that_still_find_something_fail(lab: Lab) -> None:
    """No slope anywhere: each start is a lottery ticket."""
    plateau = lab.Profile(lambda way: torch.where(way > 0.07, 1.0, -1.0) + 0 * way)
    verdict, why = lab.ask("S6", plateau, lab.middle(40), steps=1)
    assert verdict == "fail", why


def test_losses_that_disagree_fail(lab: Lab) -> None:
    data = lab.middle()
    three = type(data)(x=data.x, y=data.y, ids=data.ids, classes=("a", "b", "c"), box=data.box)
    verdict, why = lab.ask("S9", Rival(), three)
    assert verdict == "fail", why
    assert why == "the cross-entropy fools 100.0%, the margin 0.0%"


def test_a_gradient_of_another_function_does_not_point_uphill(lab: Lab) -> None:
    verdict, why = lab.ask("S16", lab.Faulty(lab.sound(), before=Backwards.apply), lab.samples_of(lab.sound()))
    assert verdict == "fail"
    assert "raises the loss of 0%" in why


def test_means_of_gradients_of_noise_are_not_stable(lab: Lab) -> None:
    data = tiny_data(12, (12,), 3)
    assert lab.ask("S13", Masked(), data)[0] == "fail"
    assert lab.ask("S13", Noisy(small_mlp(12, 3), 0.02), lab.samples_of(small_mlp(12, 3)))[0] == "pass"
    assert lab.ask("S13", lab.sound())[0] == "not applicable"


@pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: x.argmax(1, keepdim=True).float().expand_as(x)])
def test_a_graph_that_is_cut_is_named(lab: Lab, cut: Callable[[Tensor], Tensor]) -> None:
    module = lab.Faulty(lab.sound(), before=cut)
    data = lab.labelled(module, tiny_data(8, (12,), 3))
    verdict, why = lab.ask("S15", module, data)
    assert verdict == "fail"
    assert why.startswith("no gradient comes back")
    found = lab.examine(module, data)
    checks = {row[0]: row[3:5] for row in found.tables["Checks"].rows}
    assert checks["S4"] == ("not applicable", "the model has no gradient, see S15")
    assert checks["S8"][0] in ("pass", "fail")
    assert "there are none" in str(found.tables["Robustness card"].rows[0][-1])


def test_a_stand_in_for_what_has_no_derivative_is_recognised(lab: Lab) -> None:
    verdict, why = lab.ask("S15", lab.Faulty(lab.sound(), before=straight_through), lab.samples_of(lab.sound()))
    assert (verdict, why) == ("pass", "rounding in the forward pass, with a gradient that goes past it")


def test_an_installation_that_computes_wrongly_is_noticed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known.deepfool, "perturb", lambda victim, x, y, params, rng: x)
    known.closed_forms.cache_clear()
    verdict, why = lab.ask("S28", lab.sound())
    known.closed_forms.cache_clear()
    assert verdict == "fail"
    assert why.startswith("DeepFool's distance 0 ")
