"""Descents that look elsewhere first: where they look, and from where they step."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.training.step import Step
from advorch.params import AttackRef
from advorch_builtins.parts.awp import awp, perturbation
from advorch_builtins.parts.descent_direction import descent_direction, onto_simplex, shortest
from advorch_builtins.parts.params import AwpParams, DescentDirectionParams, SamParams
from advorch_builtins.parts.sharpness import sam

ATTACK = AttackRef.parse({"uses": "stand-in", "with": {"epsilon": 0.05}})


def weights(model: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def slope(model: nn.Module, data: Any) -> list[Tensor]:
    loss = functional.cross_entropy(model(data.x), data.y)
    return list(torch.autograd.grad(loss, list(model.parameters())))


def shifted(model: nn.Module, by: list[Tensor]) -> nn.Module:
    with torch.no_grad():
        for weight, change in zip(model.parameters(), by, strict=True):
            weight.add_(change)
    return model


def test_sam_steps_by_the_gradient_at_the_ascent_point(workshop: Any) -> None:
    data, rho = workshop.cloud(), 0.3
    model, other = workshop.smooth(), workshop.smooth()
    here = slope(other, data)
    length = torch.cat([part.flatten() for part in here]).norm()
    there = slope(shifted(other, [rho * part / length for part in here]), data)
    expected = weights(shifted(workshop.smooth(), [-0.1 * part for part in there]))
    workshop.trainer(sam, SamParams(rho=rho), model).epoch(1)
    assert torch.allclose(weights(model), expected, atol=1e-12)


def test_the_adaptive_ascent_is_measured_by_the_size_of_each_weight(workshop: Any) -> None:
    data, model = workshop.cloud(), workshop.smooth()
    here = slope(model, data)
    sizes = [
        weight.detach().abs() + 0.01 if name.endswith("weight") else torch.ones_like(weight)  # biases are not scaled
        for name, weight in model.named_parameters()
    ]
    scaled = [part * size for part, size in zip(here, sizes, strict=True)]
    length = torch.cat([part.flatten() for part in scaled]).norm()
    by = [2.0 * part * size / length for part, size in zip(scaled, sizes, strict=True)]
    there = slope(shifted(workshop.smooth(), by), data)
    expected = weights(shifted(workshop.smooth(), [-0.1 * part for part in there]))
    workshop.trainer(sam, SamParams(rho=2.0, adaptive=True), model).epoch(1)
    assert torch.allclose(weights(model), expected, atol=1e-12)


@pytest.mark.parametrize("make", [(sam, SamParams(rho=0.5)), (awp, AwpParams(gamma=0.5))])
def test_running_statistics_move_once_and_the_attack_is_made_once(workshop: Any, make: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)).double()
    seen: list[Tensor] = []

    def objective(step: Step) -> Tensor:
        adversarial = step.attack(ATTACK)
        seen.append(adversarial)
        logits = step.model(adversarial)
        step.judge(logits)
        return functional.cross_entropy(logits, step.y)

    workshop.trainer(*make, model, objective=objective).epoch(1)
    assert len(seen) == 2
    assert seen[0] is seen[1]
    assert int(model[1].num_batches_tracked) == 1


def test_weight_perturbations_have_their_layer_s_share_of_its_norm(workshop: Any) -> None:
    data, model = workshop.cloud(), workshop.smooth()
    functional.cross_entropy(model(data.x), data.y).backward()
    found = perturbation(model, 0.01)
    assert [weight is layer.weight for (weight, _), layer in zip(found, (model[0], model[2]), strict=True)] == [
        True
    ] * 2
    for weight, by in found:
        assert float(by.norm() / weight.detach().norm()) == pytest.approx(0.01)
        assert float(functional.cosine_similarity(by.flatten(), weight.grad.flatten(), 0)) == pytest.approx(1)


def test_awp_steps_from_the_perturbed_weights_and_takes_the_perturbation_off(workshop: Any) -> None:
    data, gamma = workshop.cloud(), 0.2
    reference = workshop.smooth()
    by = [
        gamma * weight.detach().norm() / part.norm() * part if weight.dim() > 1 else torch.zeros_like(part)
        for weight, part in zip(reference.parameters(), slope(reference, data), strict=True)
    ]
    there = slope(shifted(reference, by), data)
    expected = weights(shifted(workshop.smooth(), [-0.1 * part for part in there]))
    model = workshop.smooth()
    workshop.trainer(awp, AwpParams(gamma=gamma), model).epoch(1)
    assert torch.allclose(weights(model), expected, atol=1e-12)


def test_awp_waits_for_its_start(workshop: Any) -> None:
    model, reference = workshop.smooth(), workshop.smooth()
    workshop.trainer(awp, AwpParams(gamma=0.2, start=1.0), model).epoch(1)
    expected = weights(shifted(reference, [-0.1 * part for part in slope(reference, workshop.cloud())]))
    assert torch.allclose(weights(model), expected, atol=1e-12)


def test_the_shortest_combination_of_two_has_its_closed_form() -> None:
    for seed in range(20):
        pair = torch.randn(2, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        between = pair[1] - pair[0]
        share = float((-(pair[0] @ between) / (between @ between)).clamp(0, 1))
        found = shortest(pair @ pair.T, 2000)
        assert found.tolist() == pytest.approx([1 - share, share], abs=1e-6)


def test_shares_stay_in_the_simplex_and_no_vertex_is_shorter() -> None:
    slopes = torch.randn(5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = shortest(slopes @ slopes.T, 2000)
    assert float(found.sum()) == pytest.approx(1)
    assert bool((found >= 0).all())
    length = (found @ slopes).norm()
    assert bool((length <= slopes.norm(dim=1)).all())
    assert bool((slopes @ (found @ slopes) >= length.square() - 1e-6).all())  # so it descends for every one of them


def test_projection_onto_the_simplex() -> None:
    assert onto_simplex(torch.tensor([0.2, 0.3, 0.5])).tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert onto_simplex(torch.tensor([3.0, 0.0])).tolist() == [1, 0]
    assert onto_simplex(torch.tensor([0.6, 0.6])).tolist() == pytest.approx([0.5, 0.5])


def test_one_maximiser_may_ascend_where_the_descent_direction_descends(workshop: Any) -> None:
    """max(f1, f2) with opposed slopes: the gradient of either alone raises the other; the combination lowers both."""

    class TwoSlopes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.0, 0.0], dtype=torch.float64))

    pulls = torch.tensor([[4.0, 1.0], [-3.0, 1.0]], dtype=torch.float64)

    def objective(step: Step) -> Tensor:
        return pulls[step.variant % 2] @ step.model.w

    def worst(model: Any) -> float:
        return float((pulls @ model.w.detach()).max())

    alone, together = TwoSlopes(), TwoSlopes()
    workshop.trainer(
        lambda site, params: sam(site, SamParams(rho=1e-9)), SamParams(), alone, objective=objective
    ).epoch(1)
    workshop.trainer(descent_direction, DescentDirectionParams(draws=2), together, objective=objective).epoch(1)
    assert worst(alone) > 0 > worst(together)
    assert float(together.w.detach().norm()) == pytest.approx(0.1)  # a unit direction, at the learning rate


def test_each_draw_is_attacked_anew(workshop: Any) -> None:
    drawn: list[Tensor] = []

    def objective(step: Step) -> Tensor:
        drawn.append(step.draws("start").normal(step.x.shape[1:], like=step.x))
        logits = step.model(step.x)
        step.judge(logits)
        return functional.cross_entropy(logits, step.y)

    trainer = workshop.trainer(descent_direction, DescentDirectionParams(draws=3), objective=objective)
    trainer.epoch(1)
    assert len(drawn) == 3
    assert len({float(part.sum()) for part in drawn}) == 3
