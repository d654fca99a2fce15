"""Terms of the loss against their closed forms."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.errors import StageFailed
from advorch_builtins.defenses.catalog_parts import GRADIENT_PENALTY
from advorch_builtins.parts.gradient_penalty import GradientPenalty
from advorch_builtins.parts.orthogonal import Orthogonal, orthogonal
from advorch_builtins.parts.params import (
    GradientPenaltyParams,
    OrthogonalParams,
    SpectralNormParams,
    SpectralPenaltyParams,
)
from advorch_builtins.parts.spectral import spectral_norm, spectral_penalty


def linear(inputs: int = 3) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(inputs, 2).double()


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("q", [1, 2])
def test_the_penalty_of_a_linear_model_is_its_closed_form(workshop: Any, p: int, q: int) -> None:
    """grad_x CE = W'(softmax - onehot), for two classes (1 - p_y) times the difference of the rows."""
    model, data = linear(), workshop.cloud()
    sure = model(data.x).softmax(1)[torch.arange(len(data)), data.y]
    length = torch.linalg.vector_norm(model.weight[0] - model.weight[1], p)
    expected = 0.7 * ((1 - sure) * length).pow(q).mean()
    params = GradientPenaltyParams.parse({"lambda": 0.7, "p": p, "q": q})
    assert float(GradientPenalty(params)(workshop.step(model, data)).detach()) == pytest.approx(
        float(expected.detach()), rel=1e-12
    )


@pytest.mark.parametrize("p", [1, 2])
def test_finite_differences_approach_the_exact_penalty_and_its_gradient(workshop: Any, p: int) -> None:
    model = workshop.smooth()

    def gradient(**values: Any) -> tuple[float, Tensor]:
        part = GradientPenalty(GradientPenaltyParams.parse({"lambda": 1.0, "p": p} | values))
        loss = part(workshop.step(model))
        return float(loss.detach()), torch.cat([one.flatten() for one in torch.autograd.grad(loss, _trained(model))])

    value, slope = gradient()
    near, near_slope = gradient(method="finite-difference", h=1e-5)
    assert near == pytest.approx(value, rel=1e-3)
    assert torch.allclose(near_slope, slope, rtol=1e-2, atol=1e-4)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    """All but the last bias, which the slope does not depend on in a way that matters to this test."""
    return [weight for name, weight in model.named_parameters() if name != "2.bias"]


def test_dropout_is_the_same_at_both_ends_of_the_difference(workshop: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 50), nn.Tanh(), nn.Dropout(0.5), nn.Linear(50, 2)).double().train()
    found = [
        float(GradientPenalty(GradientPenaltyParams.parse({"lambda": 1.0} | values))(workshop.step(model)).detach())
        for values in ({}, {"method": "finite-difference"})
    ]
    assert found[1] == pytest.approx(found[0], rel=1)  # masks of their own made it ten thousand times as large


def test_the_global_random_numbers_go_on(workshop: Any) -> None:
    part = GradientPenalty(GradientPenaltyParams(method="finite-difference"))
    step = workshop.step(workshop.smooth())
    before = torch.get_rng_state()
    part(step)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_attack_is_asked_for_where_adversarial_samples_are_wanted() -> None:
    with pytest.raises(ValueError, match="needs an `attack`"):
        GRADIENT_PENALTY.schema().parse({"at": "adversarial"})


def test_bf16_does_not_round_what_is_computed_of_weights(workshop: Any) -> None:
    model = nn.Linear(40, 30).float()
    part = Orthogonal(OrthogonalParams.parse({"lambda": 1.0}))
    data = workshop.cloud(classes=30, shape=(40,), count=60)
    exact = float(part(workshop.step(model, data)).detach())
    with torch.autocast("cpu", torch.bfloat16):
        assert float(part(workshop.step(model, data)).detach()) == exact


def test_weights_of_nothing_have_no_norm_to_be_divided_by(workshop: Any) -> None:
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    with pytest.raises(StageFailed, match="all of them are zero"):
        workshop.trainer(spectral_norm, SpectralNormParams(), model)


def test_a_sample_s_penalty_does_not_depend_on_its_batch(workshop: Any) -> None:
    model, data = workshop.smooth(), workshop.cloud()
    part = GradientPenalty(GradientPenaltyParams.parse({"lambda": 1.0}))
    whole = float(part(workshop.step(model, data)).detach())
    halves = [float(part(workshop.step(model, data.take(half))).detach()) for half in (slice(0, 12), slice(12, 24))]
    assert sum(halves) / 2 == pytest.approx(whole, rel=1e-12)


def test_the_penalty_at_adversarial_samples_needs_some(workshop: Any) -> None:
    part = GradientPenalty(GradientPenaltyParams(at="adversarial"))
    step = workshop.step(linear())
    with pytest.raises(StageFailed, match="no adversarial samples"):
        part(step)
    step.attacked = (step.x + 0.5).clamp(0, 1)
    elsewhere = workshop.step(step.model)
    elsewhere.x = step.attacked
    assert float(part(step).detach()) == pytest.approx(
        float(GradientPenalty(GradientPenaltyParams())(elsewhere).detach()), rel=1e-12
    )


def test_the_extra_passes_leave_running_statistics_alone(workshop: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double().train()
    before = copy.deepcopy(model[1].state_dict())
    GradientPenalty(GradientPenaltyParams())(workshop.step(model))
    assert all(torch.equal(value, before[name]) for name, value in model[1].state_dict().items())


@pytest.mark.parametrize("form", ["squared", "absolute", "off-diagonal", "spectral"])
def test_orthogonal_rows_cost_nothing_and_twice_as_long_ones_their_closed_form(workshop: Any, form: str) -> None:
    model = nn.Linear(5, 3, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q[:3])
    part = Orthogonal(OrthogonalParams.parse({"lambda": 1.0, "form": form}))
    data = workshop.cloud(classes=3, shape=(5,))
    assert float(part(workshop.step(model, data)).detach()) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        model.weight.mul_(2)  # the Gram matrix is 4 I, its excess 3 I
    expected = {"squared": 27, "absolute": 9, "off-diagonal": 0, "spectral": 3}[form]
    assert float(part(workshop.step(model, data)).detach()) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_tall_weights_are_measured_on_their_smaller_side(workshop: Any) -> None:
    model = nn.Linear(2, 5, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q[:, :2])
    part = Orthogonal(OrthogonalParams.parse({"lambda": 1.0}))
    assert float(part(workshop.step(model, workshop.cloud(classes=5, shape=(2,)))).detach()) == pytest.approx(
        0, abs=1e-9
    )


def test_weights_become_orthogonal_in_training(workshop: Any) -> None:
    trainer = workshop.trainer(orthogonal, OrthogonalParams.parse({"lambda": 0.1}), epochs=30)
    sizes = [trainer.epoch(number)["orthogonality"] for number in range(1, 31)]
    assert sizes[-1] < 0.2 * sizes[0]


def test_a_penalty_on_weights_refuses_models_without_any(workshop: Any) -> None:
    with pytest.raises(StageFailed, match="linear or convolutional"):
        Orthogonal(OrthogonalParams())(workshop.step(nn.Flatten()))


def small_net() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 2)).double()


def sigmas(model: nn.Module) -> list[float]:
    layers = (part for part in model.modules() if isinstance(part, nn.Linear | nn.Conv2d))
    return [float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) for layer in layers]


@pytest.mark.parametrize("cap", [1.0, 2.5])
def test_normalised_layers_have_the_cap_as_their_norm(workshop: Any, cap: float) -> None:
    data = workshop.cloud(shape=(1, 6, 6))
    trainer = workshop.trainer(spectral_norm, SpectralNormParams(cap=cap), small_net(), data=data, batch=4, epochs=5)
    for number in range(1, 6):
        trainer.epoch(number)
    handed = trainer.judged()
    assert sigmas(handed) == pytest.approx([cap, cap], rel=1e-9)
    assert list(handed.state_dict()) != list(trainer.model.state_dict())
    trainer.epoch(6)
    assert sigmas(handed) == pytest.approx([cap, cap], rel=1e-9)


def test_power_iterations_in_training_find_the_norm_within_two_per_cent(workshop: Any) -> None:
    data = workshop.cloud(shape=(1, 6, 6))
    params = SpectralNormParams(power_iterations=50)
    model = workshop.trainer(spectral_norm, params, small_net(), data=data).model.train()
    model(data.x)
    assert sigmas(model.eval()) == pytest.approx([1, 1], rel=0.02)


def test_an_attack_in_training_mode_does_not_iterate(workshop: Any) -> None:
    from advorch.kit.attack.traceless import untouched

    data = workshop.cloud(shape=(1, 6, 6))
    model = workshop.trainer(spectral_norm, SpectralNormParams(), small_net(), data=data).model.train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    with untouched(model, "train") as lent:
        for _ in range(3):
            lent(data.x)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_the_spectral_penalty_finds_the_largest_singular_values(workshop: Any) -> None:
    model, data = small_net(), workshop.cloud(shape=(1, 6, 6))
    params = SpectralPenaltyParams.parse({"lambda": 0.5, "power_iterations": 200})
    trainer = workshop.trainer(spectral_penalty, params, model, data=data)
    (part,) = trainer.parts.penalties
    penalty = part(workshop.step(model, data))
    assert float(penalty.detach()) == pytest.approx(0.5 * sum(sigma**2 for sigma in sigmas(model)), rel=0.02)
    layer = model[3]
    (slope,) = torch.autograd.grad(penalty, layer.weight)
    u, s, v = torch.linalg.svd(layer.weight.detach(), full_matrices=False)
    assert torch.allclose(slope, 0.5 * 2 * s[0] * torch.outer(u[:, 0], v[0]), atol=0.02)


def test_the_spectral_penalty_shrinks_them(workshop: Any) -> None:
    data = workshop.cloud(shape=(1, 6, 6))
    start = max(sigmas(small_net()))
    trainer = workshop.trainer(
        spectral_penalty, SpectralPenaltyParams.parse({"lambda": 0.5}), small_net(), data=data, epochs=20
    )
    for number in range(1, 21):
        trainer.epoch(number)
    assert max(sigmas(trainer.model)) < 0.7 * start


def test_penalties_add_to_the_loss_that_is_reported(workshop: Any) -> None:
    params = OrthogonalParams.parse({"lambda": 0.1})
    metrics = workshop.trainer(orthogonal, params).epoch(1)
    alone = functional.cross_entropy(workshop.smooth()(workshop.cloud().x), workshop.cloud().y)
    assert metrics["loss"] == pytest.approx(float(alone.detach()) + 0.1 * metrics["orthogonality"], rel=1e-9)
