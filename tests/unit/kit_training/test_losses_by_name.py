"""Losses by name, and what they are on labels of -1 and +1."""

import pytest
import torch
from torch.nn import functional

from advorch.kit.training.losses import losses, margins
from advorch_builtins.training.catalog import ErmParams


def logits_of(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(9, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, classes, (9,), generator=generator)


def test_the_logistic_loss_of_two_classes_is_the_cross_entropy() -> None:
    logits, y = logits_of(2)
    assert torch.allclose(losses("logistic", logits, y), losses("cross-entropy", logits, y))


@pytest.mark.parametrize("classes", [2, 5])
def test_each_is_its_formula(classes: int) -> None:
    logits, y = logits_of(classes)
    sign = 2 * functional.one_hot(y, classes).double() - 1
    score = logits if classes > 2 else (logits[:, 1] - logits[:, 0])[:, None]
    label = sign if classes > 2 else sign[:, 1:]
    assert torch.equal(margins(logits, y), score * label)
    expected = {
        "squared": (label - score).square().sum(1),
        "hinge": torch.clamp(1 - label * score, min=0).sum(1),
        "logistic": (1 + (-label * score).exp()).log().sum(1),
    }
    for name, value in expected.items():
        assert torch.allclose(losses(name, logits, y), value), name  # type: ignore[arg-type]


def test_hinge_asks_no_more_of_a_margin_of_one() -> None:
    logits = torch.tensor([[0.0, 1.5], [1.5, 0.0]], requires_grad=True)
    value = losses("hinge", logits, torch.tensor([1, 0])).sum()
    assert value.item() == 0
    assert torch.autograd.grad(value, logits)[0].abs().sum() == 0


def test_only_a_cross_entropy_has_a_label_to_smooth() -> None:
    with pytest.raises(ValueError, match="label_smoothing"):
        ErmParams(label_smoothing=0.1, loss="hinge")
