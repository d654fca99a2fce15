"""Stability training: the two laws, where the gradient runs, and noise on weights that leaves them alone."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.training.divergence import kl
from advorch.kit.training.step import Step, no_attacks
from advorch.seeds import Seeds
from advorch_builtins.training import stability
from advorch_builtins.training.catalog_stability import StabilityParams


def model() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def step_of(module: nn.Module, rows: slice = slice(None), index: int = 0) -> Step:
    x = torch.rand(40, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Step(
        model=module, x=x[rows], y=(x[rows, 0] * 3).long(), ids=torch.arange(40)[rows], unlabelled=None, epoch=1,
        index=index, progress=0.0, seeds=Seeds(4), attacks=no_attacks, box=(0.0, 1.0),
    )  # fmt: skip


def value(loss: Tensor) -> float:
    return float(loss.detach())


def params_of(**values: object) -> StabilityParams:
    return StabilityParams.parse({"lambda": 2.0, **values})


def shown(module: nn.Module, step: Step, params: StabilityParams) -> list[Tensor]:
    """What the model is shown, clean and noisy."""
    seen: list[Tensor] = []
    hook = module.register_forward_hook(lambda part, args, output: seen.append(args[0].detach()))
    stability.loss(step, params)
    hook.remove()
    return seen


@pytest.mark.parametrize("of", ["samples", "weights"])
def test_at_lambda_zero_it_is_plain_training(of: str) -> None:
    module = model()
    step = step_of(module)
    found = stability.loss(step, StabilityParams.parse({"lambda": 0, "of": of}))
    assert value(found) == value(functional.cross_entropy(module(step.x), step.y))


def test_the_loss_is_the_formula_and_detaching_cuts_the_clean_side() -> None:
    module = model()
    clean, noisy = shown(module, step_of(module), params_of())
    y = step_of(module).y
    for detach in (False, True):
        found = stability.loss(step_of(module), params_of(detach=detach))
        p = module(clean)
        wanted = functional.cross_entropy(p, y) + 2 * kl(p.detach() if detach else p, module(noisy)).mean()
        slopes = [torch.autograd.grad(loss, module[0].weight, retain_graph=True)[0] for loss in (found, wanted)]
        assert value(found) == pytest.approx(value(wanted), rel=1e-12)
        assert torch.allclose(*slopes, atol=1e-12)
    lengths = []
    for detach in (False, True):
        found = stability.loss(step_of(module), params_of(detach=detach))
        lengths.append(value(torch.autograd.grad(found, module[0].bias)[0].norm()))
    assert lengths[0] != pytest.approx(lengths[1], rel=1e-3)


@pytest.mark.parametrize(("law", "deviation"), [("gaussian", 0.2), ("uniform", 0.2 / 3**0.5), ("sign", 0.2)])
def test_noise_has_its_law_and_leaves_the_box(law: str, deviation: float) -> None:
    module = model()
    clean, noisy = shown(module, step_of(module), params_of(law=law))
    assert value((noisy - clean).std()) == pytest.approx(deviation, rel=0.15)
    assert value(noisy.min()) < 0
    assert value(noisy.max()) > 1


def test_noise_belongs_to_the_sample_and_that_on_weights_to_the_step() -> None:
    module = model()
    whole, part = (shown(module, step_of(module, rows), params_of())[1] for rows in (slice(None), slice(10, 20)))
    assert torch.equal(whole[10:20], part)
    noisy = [
        stability._of_noisy_weights(step_of(module, rows, index), params_of(of="weights")).detach()
        for rows, index in ((slice(None), 0), (slice(10, 20), 0), (slice(None), 1))
    ]
    assert torch.allclose(noisy[0][10:20], noisy[1])
    assert not torch.allclose(noisy[0], noisy[2])


def test_noise_on_weights_is_in_units_of_their_tensor_and_leaves_them_as_they_were() -> None:
    torch.manual_seed(0)
    module = nn.Linear(5, 400).double()
    with torch.no_grad():
        module.weight.mul_(50)
        module.bias.zero_()
    before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    noisy = stability._noisy("weight", module.weight, step_of(module), params_of(size=0.1)) - module.weight
    assert value(noisy.std()) == pytest.approx(0.1 * value(module.weight.square().mean().sqrt()), rel=0.1)
    assert value(stability._noisy("bias", module.bias, step_of(module), params_of()).abs().max()) == 0
    assert all(torch.equal(weight, before[name]) for name, weight in module.named_parameters())


def test_each_weight_gets_the_gradient_of_what_it_became() -> None:
    module = model()
    step = step_of(module)
    noisy = {name: stability._noisy(name, weight, step, params_of()) for name, weight in module.named_parameters()}
    other = model()
    other.load_state_dict({name: weight.detach() for name, weight in noisy.items()})
    found = stability._of_noisy_weights(step, params_of()).square().sum()
    wanted = other(step.x).square().sum()
    assert torch.allclose(
        torch.autograd.grad(found, module[0].weight)[0], torch.autograd.grad(wanted, other[0].weight)[0], atol=1e-12
    )
