"""Virtual adversarial training: what the loss is made of, and which batch moves running statistics."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.data import Data
from advorch.kit.training.divergence import kl
from advorch.kit.training.smoothness import Search, entropy, virtual_perturbation
from advorch.kit.training.step import Step, no_attacks
from advorch.seeds import Seeds
from advorch_builtins.training import vat
from advorch_builtins.training.catalog_vat import VatParams

FEATURES, CLASSES = 6, 3


def data(count: int, seed: int) -> Data:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, FEATURES, dtype=torch.float64, generator=rng)
    return Data(x=x, y=torch.arange(count) % CLASSES, ids=torch.arange(count) + 10 * seed, classes=("a", "b", "c"))


def net(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 10), *layers, nn.Tanh(), nn.Linear(10, CLASSES)).double()


def step_of(model: nn.Module, unlabelled: Data | None = None) -> Step:
    labelled = data(9, seed=1)
    return Step(
        model=model, x=labelled.x, y=labelled.y, ids=labelled.ids, unlabelled=unlabelled, epoch=1, index=0,
        progress=0.0, seeds=Seeds(0), attacks=no_attacks,
    )  # fmt: skip


def params(**values: float) -> VatParams:
    return VatParams.parse({"epsilon": 0.8, "xi": 1e-4} | values)


def perturbed(step: Step, x: Tensor, ids: Tensor, given: VatParams) -> Tensor:
    search = Search(epsilon=given.epsilon, xi=given.xi, iterations=given.power_iterations)
    return x + virtual_perturbation(step.model, x, step.draws("virtual", ids), search)


def gradients(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_the_loss_is_cross_entropy_and_lambda_times_the_mean_divergence(iterations: int) -> None:
    model = net()
    given = params(power_iterations=iterations, **{"lambda": 0.7})
    step = step_of(model)
    point = perturbed(step, step.x, step.ids, given)
    logits = model(step.x)
    expected = functional.cross_entropy(logits, step.y) + 0.7 * kl(logits.detach(), model(point)).mean()
    loss = vat.loss(step, given)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for mine, theirs in zip(gradients(loss, model), gradients(expected, model), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_the_target_takes_no_gradient() -> None:
    model, given = net(), params()
    step = step_of(model)
    point = perturbed(step, step.x, step.ids, given)
    logits = model(step.x)
    open_target = functional.cross_entropy(logits, step.y) + kl(logits, model(point)).mean()
    pairs = zip(gradients(vat.loss(step, given), model), gradients(open_target, model), strict=True)
    assert any(not torch.allclose(mine, theirs, rtol=1e-3) for mine, theirs in pairs)


def test_where_there_are_unlabelled_samples_the_divergence_is_theirs() -> None:
    model, further, given = net(), data(5, seed=2), params()
    step = step_of(model, further)
    point = perturbed(step, further.x, further.ids, given)
    divergence = kl(model(further.x), model(point)).mean()
    expected = functional.cross_entropy(model(step.x), step.y) + divergence
    assert vat.loss(step, given).item() == pytest.approx(expected.item(), rel=1e-12)
    assert float(step.logged["divergence"]) == pytest.approx(divergence.item(), rel=1e-12)


def test_the_clean_labelled_batch_alone_moves_running_statistics() -> None:
    for further in (None, data(5, seed=2)):
        model = net(nn.BatchNorm1d(10))
        once = copy.deepcopy(model)
        once(step_of(once).x)
        vat.loss(step_of(model, further), params(entropy=1.0)).backward()
        moved = dict(model.named_buffers())
        assert int(moved["1.num_batches_tracked"]) == 1
        assert all(torch.equal(value, moved[name]) for name, value in once.named_buffers())


def test_a_model_that_says_one_thing_is_as_smooth_as_can_be() -> None:
    model = nn.Linear(FEATURES, CLASSES).double()
    nn.init.zeros_(model.weight)
    step = step_of(model)
    loss = vat.loss(step, params())
    assert float(step.logged["divergence"]) == pytest.approx(0, abs=1e-12)
    assert loss.item() == pytest.approx(functional.cross_entropy(model(step.x), step.y).item())


def test_gradients_that_were_gathered_stay() -> None:
    model = net()
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    loss = vat.loss(step_of(model), params())
    assert all(torch.equal(weight.grad, torch.ones_like(weight)) for weight in model.parameters())  # type: ignore[arg-type]
    alone = gradients(vat.loss(step_of(model), params()), model)
    loss.backward()
    for weight, own in zip(model.parameters(), alone, strict=True):
        assert torch.allclose(weight.grad, own + 1)  # type: ignore[arg-type]


def test_entropy_is_a_third_term_of_the_same_samples() -> None:
    model, further = net(), data(5, seed=2)
    with_it, without = (vat.loss(step_of(model, further), params(**more)) for more in ({"entropy": 0.5}, {}))
    expected = 0.5 * entropy(model(further.x)).mean()
    assert (with_it - without).item() == pytest.approx(expected.item(), rel=1e-9)
    for both, one, term in zip(
        gradients(with_it, model), gradients(without, model), gradients(expected, model), strict=True
    ):
        assert torch.allclose(both - one, term, atol=1e-12)


def test_a_second_pass_over_the_same_step_has_the_same_perturbation() -> None:
    model, given = net(), params(power_iterations=0)
    step = step_of(model)
    assert vat.loss(step, given).item() == vat.loss(step, given).item()
