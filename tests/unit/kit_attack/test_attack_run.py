import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.components import Attack
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.errors import ContractBroken, UnusableData
from advorch.kit.attack.inner import InnerAttack
from advorch.kit.attack.run import AttackResult, draw_targets, fixed_targets, run_attack
from advorch.kit.attack.sampling import first_that_fools
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Finish, Victim
from advorch.params import Params
from advorch.settings import ThreatSettings
from advorch.threat import Access, Goal, Norm, ThreatModel

IDS = torch.arange(64)
NONE = Params()


def sign_step(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
    ball = victim.ball(x)
    return ball.project(x + ball.epsilon[:, None] * victim.gradient(x, y).sign())


def run(module: nn.Module, x: Tensor, y: Tensor, perturb: Any = sign_step, **options: Any) -> AttackResult:
    victim = Victim(module, **({"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.3} | options))
    return run_attack(perturb, victim, x, y, NONE, Draws(1, IDS[: len(x)]))


def test_verdict_is_of_what_came_back(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    wrong = torch.arange(64) % 4 == 0
    labels = torch.where(wrong, (y + 1) % 3, y)
    result = run(classifier.train(), x, labels)
    classifier.eval()
    with torch.no_grad():
        judged = classifier(result.adversarial).argmax(1)
    assert torch.equal(result.clean_correct, ~wrong)
    assert torch.equal(result.clean_prediction, y)
    assert torch.equal(result.adversarial_prediction, judged)
    assert torch.equal(result.success, ~wrong & judged.ne(labels))
    assert 0 < result.success.sum() < 48
    assert torch.equal(result.adversarial[wrong], x[wrong])
    assert result.distance[wrong].eq(0).all()
    assert torch.allclose(result.distance, (result.adversarial - x).abs().amax(1).double())
    assert torch.equal(result.backwards, (~wrong).long())
    assert result.adversarial.dtype == torch.float32


def test_nobody_is_attacked_where_all_are_wrong(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    def never(*_: Any) -> Tensor:
        raise AssertionError

    result = run(classifier, samples[0], (samples[1] + 1) % 3, never)
    assert not result.success.any()
    assert torch.equal(result.adversarial, samples[0])


BREACHES = {
    "outside the ball": lambda victim, x, *_: (x + 0.31).clamp(max=1),
    "outside the box": lambda victim, x, *_: x - 0.2,
    "not finite": lambda victim, x, *_: torch.full_like(x, torch.nan),
    "another shape": lambda victim, x, *_: x[:, :5],
    "a lost sample": lambda victim, x, *_: x[1:],
    "another type": lambda victim, x, *_: x.double(),
    "no tensor": lambda victim, x, *_: None,
}


@pytest.mark.parametrize("breach", list(BREACHES))
def test_a_broken_contract_names_the_attack(classifier: nn.Module, samples: tuple[Tensor, Tensor], breach: str) -> None:
    def culprit(*args: Any) -> Tensor:
        return BREACHES[breach](*args)

    with pytest.raises(ContractBroken, match="culprit"):
        run(classifier, *samples, culprit)


def test_success_is_not_believed(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    assert not run(classifier, *samples, lambda victim, x, *_: x.clone()).success.any()


@pytest.mark.parametrize(
    ("data", "box"),
    [
        (torch.rand(4, 12) * 255, (0.0, 1.0)),
        (torch.randn(4, 12) * 3, (0.0, 1.0)),
        (torch.full((4, 12), torch.nan), None),
        (torch.zeros(4, 12, dtype=torch.uint8), (0.0, 255.0)),
    ],
    ids=["bytes in a unit box", "normalised", "not finite", "integers"],
)
def test_data_that_breaks_its_description_is_refused(
    classifier: nn.Module, data: Tensor, box: tuple[float, float] | None
) -> None:
    with pytest.raises(UnusableData):
        run(classifier, data, torch.zeros(4, dtype=torch.int64), box=box)


def test_an_attack_leaves_no_trace_even_when_the_model_raises(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    """torchattacks puts frozen layers into training, and leaves evaluation mode behind after an error."""
    classifier.train()
    classifier.body[1].eval()
    classifier.head.bias.grad = torch.ones(3)
    kept = {name: value.clone() for name, value in classifier.state_dict().items()}
    state, python = torch.get_rng_state(), random.getstate()

    def fails(*_: Any) -> Tensor:
        torch.rand(3), random.random()
        classifier.train()
        classifier(torch.rand(4, 12))
        raise RuntimeError("no luck")

    for attack in (sign_step, fails):
        try:
            run(classifier, *samples, attack)
        except RuntimeError as error:
            assert str(error) == "no luck"  # noqa: PT017 - one of the two attacks raises
        assert classifier.training
        assert not classifier.body[1].training
        assert all(parameter.requires_grad for parameter in classifier.parameters())
        assert classifier.head.bias.grad.eq(1).all()
        assert classifier.head.weight.grad is None
        assert all(torch.equal(kept[name], value) for name, value in classifier.state_dict().items())
        assert torch.equal(torch.get_rng_state(), state)
        assert random.getstate() == python


def test_results_do_not_depend_on_the_clock_or_on_global_numbers(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    """AutoAttack seeds itself with the time and reseeds everybody."""
    noise = lambda victim, x, y, params, rng: first_that_fools(victim, x, y, ThreatSet.random, 3, rng)  # noqa: E731
    first = run(classifier, *samples, noise)
    torch.manual_seed(999), random.seed(999)
    assert torch.equal(first.adversarial, run(classifier, *samples, noise).adversarial)


def test_what_is_random_in_the_model_is_the_same_on_any_worker(samples: tuple[Tensor, Tensor]) -> None:
    class Jittery(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + 0.3 * torch.randn_like(x))

    torch.manual_seed(0)
    module = Jittery(12, 3)
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        results.append(run(module, *samples))
    assert torch.equal(results[0].adversarial, results[1].adversarial)
    assert torch.equal(results[0].success, results[1].success)


def test_epsilon_zero_is_clean_accuracy(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    result = run(classifier.train(), *samples, epsilon=0.0)
    assert torch.equal(result.adversarial, samples[0])
    assert torch.equal(result.adversarial_prediction, result.clean_prediction)
    assert not result.success.any()


def test_targets_are_wrong_classes_drawn_evenly_by_sample(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    y = torch.arange(3000) % 3
    targets = draw_targets(Draws(1, torch.arange(3000)), y, 3)
    assert targets.ne(y).all()
    assert torch.bincount(targets * 3 + y, minlength=9).reshape(3, 3)[~torch.eye(3, dtype=torch.bool)].min() > 430
    assert torch.equal(targets[7:9], draw_targets(Draws(1, torch.tensor([7, 8])), y[7:9], 3))
    assert draw_targets(Draws(1, torch.arange(5)), torch.zeros(5, dtype=torch.int64), 2).eq(1).all()
    result = run(classifier, *samples, targeted=True, epsilon=0.5)
    assert torch.equal(result.success, result.adversarial_prediction.eq(result.target))
    assert 0 < result.success.sum() < 64


ATTACK = Attack(
    name="sign-step",
    summary="one step",
    params=Params,
    load=lambda: sign_step,
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF}), goals=frozenset(Goal)),
)


def inner(**options: Any) -> InnerAttack:
    params = ThreatSettings(epsilon=0.1, **options)
    return InnerAttack(ATTACK, params, box=(0.0, 1.0))


def test_inner_attack_stays_in_the_ball_and_leaves_the_module(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    x, y = samples
    classifier.train()
    kept = {name: value.clone() for name, value in classifier.state_dict().items()}
    z = inner()(classifier, x, y, IDS, 3)
    ball = ThreatSet.around(x, Norm.LINF, 0.1, box=(0.0, 1.0))
    assert ball.contains(z).all()
    assert (z != x).any(1).all()
    assert not z.requires_grad
    assert classifier.training
    assert all(torch.equal(kept[name], value) for name, value in classifier.state_dict().items())
    classifier(z).sum().backward()
    assert classifier.head.weight.grad is not None


def test_inner_attack_obeys_mode_seed_radius_and_goal(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    calm = InnerAttack(ATTACK, ThreatSettings(epsilon=0.1), box=(0.0, 1.0))
    wild = InnerAttack(ATTACK, ThreatSettings(epsilon=0.1), box=(0.0, 1.0), mode="train")
    assert torch.equal(calm(classifier, x, y, IDS, 1), calm(classifier, x, y, IDS, 2))
    assert torch.equal(wild(classifier, x, y, IDS, 1), wild(classifier, x, y, IDS, 1))
    assert not torch.equal(wild(classifier, x, y, IDS, 1), wild(classifier, x, y, IDS, 2))
    radius = torch.linspace(0, 0.1, 64)
    z = calm.at(classifier, x, y, Draws(1, IDS), radius)
    assert ((z - x).abs().amax(1) <= radius + 1e-7).all()
    assert torch.equal(z[0], x[0])
    aimed = inner(targeted=True)(classifier, x, y, IDS, 1)
    assert not torch.equal(aimed, calm(classifier, x, y, IDS, 1))


def test_inner_attack_aims_at_a_model_that_normalises_its_batch(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    wild = InnerAttack(ATTACK, ThreatSettings(epsilon=0.1, targeted=True), box=(0.0, 1.0), mode="train")
    assert (wild(classifier, *samples, IDS, 1) != samples[0]).any(1).all()


def test_inner_attack_tells_the_attack_to_spend_all_steps(
    classifier: nn.Module, samples: tuple[Tensor, Tensor]
) -> None:
    seen: list[Finish] = []

    def curious(victim: Victim, x: Tensor, y: Tensor, params: Params, rng: Draws) -> Tensor:
        seen.append(victim.finish)
        return x

    attack = Attack(name="curious", summary="", params=Params, load=lambda: curious, threat=ATTACK.threat)
    for finish in (Finish.LAST, Finish.HARDEST):
        InnerAttack(attack, ThreatSettings(epsilon=0.1), box=None, finish=finish)(classifier, *samples, IDS, 0)
    assert seen == [Finish.LAST, Finish.HARDEST]


def test_what_an_attack_does_not_know_is_refused_early() -> None:
    with pytest.raises(StageFailed, match="l2"):
        inner(norm=Norm.L2)
    threat = ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF}))
    attack = Attack(name="one-way", summary="", params=Params, load=lambda: sign_step, threat=threat)
    with pytest.raises(StageFailed, match="targeted"):
        InnerAttack(attack, ThreatSettings(epsilon=0.1, targeted=True), box=None)


def test_every_attack_aims_at_the_same_class_of_a_sample() -> None:
    y = torch.arange(3000) % 3
    targets = fixed_targets(torch.arange(3000), y, 3)
    assert torch.equal(targets[5:9], fixed_targets(torch.arange(5, 9), y[5:9], 3))
    assert not targets.eq(y).any()
    assert (targets - y).remainder(3).eq(1).double().mean().item() == pytest.approx(0.5, abs=0.05)
