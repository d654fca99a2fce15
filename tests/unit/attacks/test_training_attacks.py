"""The attacks that are made for training: where they begin and what they climb."""

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Finish, Victim
from advorch.kit.training.divergence import kl
from advorch.threat import Norm
from advorch_builtins.attacks import near_pgd, random_fgsm
from advorch_builtins.attacks.catalog_near import NearPgdParams, RandomFgsmParams

EPSILON = 0.1


def victim_of(module: nn.Module, norm: Norm = Norm.LINF, finish: Finish = Finish.LAST) -> Victim:
    return Victim(module, box=(0.0, 1.0), norm=norm, epsilon=EPSILON, finish=finish)


def rng_of(x: Tensor) -> Draws:
    return Draws(7, torch.arange(len(x)))


class Counting(nn.Module):
    """Notes what it is asked."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.seen = module, list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        logits: Tensor = self.module(x)
        return logits


def test_it_begins_a_little_beside_the_sample_and_asks_for_the_clean_prediction_once(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = 0.1 + 0.8 * held_out[0], held_out[1]
    counting = Counting(trained)
    near_pgd.perturb(victim_of(counting), x, y, NearPgdParams(steps=4), rng_of(x))
    assert len(counting.seen) == 5
    assert torch.equal(counting.seen[0], x)
    assert float((counting.seen[1] - x).std()) == pytest.approx(0.001, rel=0.1)


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2])
def test_it_climbs_the_divergence_whatever_the_label(
    trained: nn.Module, held_out: tuple[Tensor, Tensor], norm: Norm
) -> None:
    x, y = held_out
    with torch.no_grad():
        clean = trained(x)
        found = near_pgd.perturb(victim_of(trained, norm), x, y, NearPgdParams(), rng_of(x))
        others = near_pgd.perturb(victim_of(trained, norm), x, 2 - y, NearPgdParams(), rng_of(x))
        noise = victim_of(trained, norm).ball(x).random(rng_of(x))
        assert torch.equal(found, others)
        assert float(kl(clean, trained(found)).mean()) > 3 * float(kl(clean, trained(noise)).mean())


def test_one_step_is_along_the_gradient_of_the_divergence_at_the_start(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    module = trained.double()
    x, y = 0.3 + 0.4 * held_out[0].double(), held_out[1]
    params = NearPgdParams(steps=1, alpha=0.05)
    found = near_pgd.perturb(victim_of(module), x, y, params, rng_of(x))
    start = x + 0.001 * rng_of(x).fork(0).fork("start").normal(x.shape[1:], like=x)
    point = start.clone().requires_grad_()
    p, q = module(x).detach().softmax(1), module(point).softmax(1)
    (slope,) = torch.autograd.grad((p * (p / q).log()).sum(), point)
    trained.float()
    assert torch.allclose(found, start + 0.05 * slope.sign(), atol=1e-12)


def test_with_the_cross_entropy_it_is_the_attack_of_mart(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    both = [
        near_pgd.perturb(victim_of(trained), x, y, NearPgdParams.parse({"loss": loss}), rng_of(x))
        for loss in ("kl", "cross-entropy")
    ]
    wrong = [float((trained(z).argmax(1) != y).float().mean()) for z in both]
    assert not torch.equal(*both)
    assert wrong[1] >= wrong[0]


def test_samples_that_leave_an_evaluation_take_their_clean_prediction_along(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """Who is fooled leaves the batch; the others go on away from their own prediction, as they would alone."""
    x, y = held_out[0][:24], held_out[1][:24]
    together = near_pgd.perturb(victim_of(trained, finish=Finish.FOOLED), x, y, NearPgdParams(), rng_of(x))
    alone = torch.cat([
        near_pgd.perturb(
            victim_of(trained, finish=Finish.FOOLED), x[row : row + 1], y[row : row + 1], NearPgdParams(),
            Draws(7, torch.tensor([row])),
        )
        for row in range(24)
    ])  # fmt: skip
    assert float((together - alone).abs().max()) < 1e-3


def test_without_noise_and_at_full_length_random_fgsm_is_fgsm(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    x, y = held_out
    found = random_fgsm.perturb(victim_of(trained), x, y, RandomFgsmParams(noise=0, alpha=1), rng_of(x))
    slope = victim_of(trained).gradient(x, y)
    assert torch.allclose(found, (x + EPSILON * slope.sign()).clamp(0, 1), atol=1e-6)


def test_by_default_the_start_is_legal(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    x, y = held_out
    counting = Counting(trained)
    random_fgsm.perturb(victim_of(counting, finish=Finish.LAST), x, y, RandomFgsmParams(), rng_of(x))
    seen = torch.cat(counting.seen)
    assert 0 <= float(seen.min()) <= float(seen.max()) <= 1


def test_in_training_the_start_may_leave_the_box_and_in_evaluation_not(
    trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    """The authors' code brings back the sample that is trained on alone; a start that is judged has to be legal."""
    x, y = held_out
    lowest = {}
    for finish in (Finish.LAST, Finish.FOOLED):
        counting = Counting(trained)
        found = random_fgsm.perturb(victim_of(counting, finish=finish), x, y, RandomFgsmParams(outside=True), rng_of(x))
        lowest[finish] = float(torch.cat(counting.seen).min())
        assert 0 <= float(found.min()) <= float(found.max()) <= 1
        assert float((found - x).abs().max()) <= EPSILON + 1e-6
    assert lowest[Finish.LAST] < -0.05
    assert lowest[Finish.FOOLED] == 0


def test_what_nothing_cuts_fits_into_the_ball_that_it_is_given() -> None:
    ref = random_fgsm.unbounded(0.3, 2.0, 1.0, outside=True)
    epsilon, noise, alpha = (float(str(ref.with_[name])) for name in ("epsilon", "noise", "alpha"))
    assert epsilon == pytest.approx(0.9)
    assert noise * epsilon == pytest.approx(0.6)
    assert alpha * epsilon == pytest.approx(0.3)
    assert noise + alpha <= 1 + 1e-12
