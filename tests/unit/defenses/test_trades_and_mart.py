"""TRADES and MART against formulas written out by hand, in double precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.training.divergence import kl
from advorch.kit.training.step import Step
from advorch_builtins.defenses import mart, trades
from advorch_builtins.defenses.catalog_losses import MartParams, TradesParams

StepOf = Callable[..., Step]
NEAR = {"uses": "near-pgd", "with": {"epsilon": 0.1, "steps": 3}}


def number(value: Tensor) -> float:
    return float(value.detach())


def gradients(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))


def test_the_divergence_is_torchs_with_its_sums_divided_by_the_batch() -> None:
    torch.manual_seed(0)
    clean, other = torch.randn(7, 5).double(), torch.randn(7, 5).double()
    wanted = functional.kl_div(other.log_softmax(1), clean.log_softmax(1), log_target=True, reduction="batchmean")
    assert number(kl(clean, other).mean()) == pytest.approx(number(wanted), rel=1e-12)
    assert number(kl(clean, clean).abs().max()) < 1e-15
    assert number(kl(other, clean).mean()) != pytest.approx(number(wanted), rel=1e-3)  # it is not symmetric


def test_the_divergence_of_certain_predictions_is_finite() -> None:
    far = torch.tensor([[200.0, -200.0]], requires_grad=True)
    apart = kl(far, -far.detach())
    (slope,) = torch.autograd.grad(apart.sum(), far)
    assert number(apart) == pytest.approx(400)
    assert torch.isfinite(slope).all()


def test_trades_is_the_formula_with_a_gradient_through_both_predictions(smooth: nn.Module, step_of: StepOf) -> None:
    step = step_of(smooth)
    params = TradesParams.parse({"lambda": 6, "attack": NEAR})
    found = trades.loss(step, params)
    x, hard, y = step.x, step.attacked, step.y
    assert hard is not None
    p, q = smooth(x).softmax(1), smooth(hard).softmax(1)
    wanted = -p[range(16), y].log().mean() + 6 * (p * (p / q).log()).sum() / 16
    assert number(found) == pytest.approx(number(wanted), rel=1e-12)
    for one, other in zip(gradients(found, smooth), gradients(wanted, smooth), strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    stopped = -p[range(16), y].log().mean() + 6 * (p.detach() * (p.detach() / q).log()).sum() / 16
    assert not torch.allclose(gradients(found, smooth)[0], gradients(stopped, smooth)[0], atol=1e-6)


def test_trades_at_beta_zero_is_plain_training_and_attacks_nobody(smooth: nn.Module, step_of: StepOf) -> None:
    step = step_of(smooth)
    found = trades.loss(step, TradesParams.parse({"lambda": 0, "attack": NEAR}))
    assert number(found) == number(functional.cross_entropy(smooth(step.x), step.y))
    assert step.attacked is None


def test_trades_takes_any_attack(smooth: nn.Module, step_of: StepOf) -> None:
    values = []
    for attack in (
        NEAR,
        {"uses": "fgsm", "with": {"epsilon": 0.1}},
        {"uses": "ddn", "with": {"epsilon": 1, "norm": "l2"}},
    ):
        values.append(number(trades.loss(step_of(smooth), TradesParams.parse({"attack": attack}))))
    assert len(set(values)) == 3


def test_clean_samples_pass_through_trades_once(net: nn.Module, step_of: StepOf) -> None:
    """The published code asks twice; batch norm counts two passes here, one clean and one adversarial."""
    trades.loss(step_of(net), TradesParams.parse({"attack": NEAR}))
    assert int(net[1].num_batches_tracked) == 2


def test_mart_is_the_formula_of_its_authors(smooth: nn.Module, step_of: StepOf) -> None:
    step = step_of(smooth)
    found = mart.loss(step, MartParams.parse({"lambda": 5}))
    assert step.attacked is not None
    natural, hard = smooth(step.x), smooth(step.attacked)
    nat_probs, adv_probs = natural.softmax(1), hard.softmax(1)
    ranked = adv_probs.argsort(1)[:, -2:]
    rival = torch.where(ranked[:, -1] == step.y, ranked[:, -2], ranked[:, -1])
    boosted = functional.cross_entropy(hard, step.y) + functional.nll_loss((1.0001 - adv_probs).log(), rival)
    divergence = functional.kl_div(adv_probs.log(), nat_probs, reduction="none").sum(1)
    true_probs = nat_probs.gather(1, step.y[:, None]).squeeze()
    wanted = boosted + 5 * (divergence * (1 - true_probs)).sum() / len(step.y)
    assert number(found) == pytest.approx(number(wanted), rel=1e-10)
    for one, other in zip(gradients(found, smooth), gradients(wanted, smooth), strict=True):
        assert torch.allclose(one, other, atol=1e-10)


def test_a_certain_mistake_costs_mart_what_the_authors_code_lets_it() -> None:
    cost = mart.boosted_cross_entropy(torch.tensor([[0.0, 60.0]]).double(), torch.tensor([0]))
    assert number(cost) == pytest.approx(60 + 9.21, abs=0.01)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_attacks_leave_no_gradient_and_no_statistics(net: nn.Module, step_of: StepOf, mode: str) -> None:
    step = step_of(net.train())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    hard = step.attack(TradesParams.parse({"attack": NEAR}).attack, mode=mode)  # type: ignore[arg-type]
    assert all(weight.grad is None and weight.requires_grad for weight in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert not hard.requires_grad


def test_the_mode_of_the_attack_matters_where_dropout_does(net: nn.Module, step_of: StepOf) -> None:
    ref = TradesParams.parse({"attack": NEAR}).attack
    assert not torch.equal(step_of(net).attack(ref, mode="eval"), step_of(net).attack(ref, mode="train"))


@pytest.mark.parametrize(("params", "loss"), [(TradesParams(), "kl"), (MartParams(), "cross-entropy")])
def test_defaults_are_the_papers(params: TradesParams | MartParams, loss: str) -> None:
    assert params.attack.with_ == {"epsilon": 0.031, "steps": 10, "alpha": 0.007, "loss": loss}
    assert params.mode == "eval"
