"""Adversarial training: PGD training of Madry et al. (arXiv:1706.06083) at alpha 0, the mix of Goodfellow et al.
(arXiv:1412.6572) at alpha 0.5. Clean and adversarial halves go through the model together: batch norm sees both."""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.training.step import Step, accuracy
from advorch_builtins.defenses.catalog import AdversarialParams


def loss(step: Step, params: AdversarialParams) -> Tensor:
    """J = alpha J(x) + (1 - alpha) J(x_adv), both on the same samples; logs the accuracy on what is trained on."""
    if params.alpha == 1:
        return _cross_entropy(step, step.x)
    adversarial = step.attack(params.attack, mode=params.mode)
    if params.alpha == 0:
        return _cross_entropy(step, adversarial)
    clean_logits, logits = step.model(torch.cat([step.x, adversarial])).chunk(2)
    step.log("accuracy", accuracy(logits, step.y))
    clean, hard = (functional.cross_entropy(part, step.y) for part in (clean_logits, logits))
    return params.alpha * clean + (1 - params.alpha) * hard


def _cross_entropy(step: Step, x: Tensor) -> Tensor:
    logits = step.model(x)
    step.log("accuracy", accuracy(logits, step.y))
    return functional.cross_entropy(logits, step.y)
