import math
import pickle

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.attack.errors import AccessDenied, UnusableModel
from advorch.kit.attack.objectives import cross_entropy, margin
from advorch.kit.attack.victim import Victim
from advorch.threat import Access, Norm


def victim_of(module: nn.Module, **options: object) -> Victim:
    known = {"box": (0.0, 1.0), "norm": Norm.LINF, "epsilon": 0.1}
    return Victim(module, **(known | options))


QUESTIONS = {
    "gradient": lambda victim, x, y: victim.gradient(x, y),
    "value_and_gradient": lambda victim, x, y: victim.value_and_gradient(x, y),
    "logits": lambda victim, x, y: victim.logits(x),
    "scores": lambda victim, x, y: victim.scores(x),
    "value": lambda victim, x, y: victim.value(x, y),
    "labels": lambda victim, x, y: victim.labels(x),
    "fooled": lambda victim, x, y: victim.fooled(x, y),
    "ball": lambda victim, x, y: victim.ball(x),
}
ALLOWED = {
    Access.GRADIENTS: set(QUESTIONS),
    Access.SCORES: {"logits", "scores", "value", "labels", "fooled", "ball"},
    Access.LABELS: {"labels", "fooled", "ball"},
    Access.NOTHING: {"ball"},
}


@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("question", list(QUESTIONS))
def test_a_victim_grants_what_was_declared_and_no_more(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], access: Access, question: str
) -> None:
    victim = victim_of(classifier, access=access)
    if question in ALLOWED[access]:
        QUESTIONS[question](victim, *samples)
        return
    with pytest.raises(AccessDenied, match=access.value) as refusal:
        QUESTIONS[question](victim, *samples)
    assert victim.usage(64).forwards.sum() == 0
    assert isinstance(pickle.loads(pickle.dumps(refusal.value)), AccessDenied)
    assert isinstance(refusal.value, StageFailed)


def test_who_sees_scores_cannot_differentiate_them(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x = samples[0].clone().requires_grad_()
    assert not victim_of(classifier, access=Access.SCORES).logits(x).requires_grad
    assert not victim_of(classifier).scores(x).requires_grad
    assert victim_of(classifier).logits(x).requires_grad
    assert not victim_of(classifier).logits(samples[0]).requires_grad


@pytest.mark.parametrize("objective", [cross_entropy, margin])
@pytest.mark.parametrize("targeted", [False, True])
def test_gradient_is_the_slope_of_the_value_by_sample(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], objective: object, targeted: bool
) -> None:
    module, x, y = classifier.double(), samples[0].double() * 0.8 + 0.1, samples[1]
    victim = victim_of(module, targeted=targeted)
    value, gradient, logits = victim.value_and_gradient(x, y, objective)
    assert torch.equal(logits, victim.logits(x))
    sign = -1 if targeted else 1
    assert torch.equal(value, sign * objective(logits, y))
    step = 1e-6 * torch.randn_like(x)
    rise = victim.value(x + step, y, objective).value - victim.value(x - step, y, objective).value
    assert torch.allclose(rise / 2, (gradient * step).sum(1), atol=1e-11)
    alone = victim.gradient(x[3:4], y[3:4], objective)
    assert torch.allclose(alone, gradient[3:4], atol=1e-12)
    assert not gradient.requires_grad


def test_weights_and_input_collect_no_gradient(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x = samples[0].clone().requires_grad_()
    with torch.no_grad():
        assert victim_of(classifier).gradient(x, samples[1]).abs().sum() > 0
    assert x.grad is None
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_goals(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples
    assert not victim_of(classifier).fooled(x, y).any()
    assert victim_of(classifier).fooled(x, (y + 1) % 3).all()
    assert victim_of(classifier, targeted=True).fooled(x, y).all()
    assert not victim_of(classifier, targeted=True).fooled(x, (y + 1) % 3).any()
    assert torch.allclose(victim_of(classifier).scores(x).sum(1), torch.ones(64))


def test_every_pass_is_counted_for_those_who_asked(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x, y = samples[0][:4], samples[1][:4]
    victim = victim_of(classifier)
    victim.labels(x)
    part = victim.take(torch.tensor([3, 1]))
    part.gradient(x[[3, 1]], y[[3, 1]])
    part.take(torch.tensor([1])).fooled(x[[1]], y[[1]])
    part.scores(x[[3, 1]].repeat(5, 1))
    usage = victim.usage(4)
    assert usage.forwards.tolist() == [1, 8, 1, 7]
    assert usage.backwards.tolist() == [0, 1, 0, 1]
    assert usage.queries.tolist() == [1, 8, 1, 7]


def test_how_many_classes_there_are_is_no_secret(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    victim = victim_of(classifier.train(), access=Access.NOTHING)
    assert victim.classes(samples[0]) == 3
    assert victim.usage(64).forwards.sum() == 0


def test_a_part_keeps_its_samples_epsilon_and_mask(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    x = samples[0][:3]
    mask = torch.rand(3, 12) > 0.5
    victim = victim_of(classifier, epsilon=torch.tensor([0.1, 0.2, 0.3]), mask=mask)
    index = torch.tensor([2, 0])
    part, whole = victim.take(index).ball(x[index]), victim.ball(x).take(index)
    assert torch.equal(part.lower, whole.lower)
    assert torch.equal(part.epsilon, torch.tensor([0.3, 0.1]))


class Returns(nn.Module):
    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer(x)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x.sum(1),
        lambda x: x[:, :1],
        lambda x: x[:1],
        lambda x: (x, x),
        lambda x: x.round().long(),
        lambda x: x.detach() * 2,
        lambda x: torch.ones(len(x), 3, requires_grad=True),
    ],
    ids=["flat", "one class", "lost rows", "tuple", "integers", "cut", "constant"],
)
def test_a_model_that_cannot_be_attacked_is_named(samples: tuple[Tensor, Tensor], answer: object) -> None:
    with pytest.raises(UnusableModel):
        victim_of(Returns(answer)).gradient(samples[0], samples[1])


def test_margin_with_two_classes_and_negative_logits() -> None:
    """Masking by multiplication, as torchattacks' C&W does it, would report 0 here."""
    logits = torch.tensor([[-5.0, -3.0], [-1.0, -4.0]])
    assert margin(logits, torch.tensor([1, 1])).tolist() == [-2.0, 3.0]


def test_cross_entropy_is_everybodys_function() -> None:
    logits = (8 * torch.randn(300, 5, dtype=torch.float64)).requires_grad_()
    y = torch.arange(300) % 5
    usual = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    assert torch.allclose(cross_entropy(logits, y), usual, rtol=1e-10, atol=1e-14)
    ours, theirs = (torch.autograd.grad(value.sum(), logits)[0] for value in (cross_entropy(logits, y), usual))
    assert torch.allclose(ours, theirs, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("gap", [10.0, 20.0, 60.0])
def test_cross_entropy_has_a_gradient_where_the_model_is_certain(gap: float) -> None:
    logits = torch.tensor([[0.0, gap]], requires_grad=True)
    y = torch.tensor([1])
    gradient = torch.autograd.grad(cross_entropy(logits, y).sum(), logits)[0]
    assert gradient[0].tolist() == pytest.approx([math.exp(-gap), -math.exp(-gap)], rel=1e-3, abs=0)
