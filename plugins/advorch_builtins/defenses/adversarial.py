"""Adversarial training: PGD training of Madry et al. (arXiv:1706.06083) at alpha 0, the mix of Goodfellow et al.
(arXiv:1412.6572) at alpha 0.5. Clean and adversarial halves go through the model together: batch norm sees both."""

import torch
from torch import Tensor

from advorch.api import AttackRef
from advorch.kit.training.loss_names import LossName
from advorch.kit.training.losses import losses
from advorch.kit.training.step import Step
from advorch_builtins.defenses.catalog import AdversarialParams, MixParams


def loss(step: Step, params: AdversarialParams) -> Tensor:
    """J = alpha J(x) + (1 - alpha) J(x_adv), both on the same samples; logs the accuracy on what is trained on."""
    return mixed(step, params.attack, params)


def mixed(step: Step, attack: AttackRef, mix: MixParams) -> Tensor:
    """The same with any attack."""
    if mix.alpha == 1:
        return plain(step, step.x, mix.loss)
    adversarial = step.attack(attack, mode=mix.mode)
    if mix.alpha == 0:
        return plain(step, adversarial, mix.loss)
    clean_logits, logits = step.model(torch.cat([step.x, adversarial])).chunk(2)
    step.judge(logits)
    clean, hard = (losses(mix.loss, part, step.y).mean() for part in (clean_logits, logits))
    return mix.alpha * clean + (1 - mix.alpha) * hard


def plain(step: Step, x: Tensor, loss: LossName = "cross-entropy") -> Tensor:
    """The mean loss on some samples."""
    logits = step.model(x)
    step.judge(logits)
    return losses(loss, logits, step.y).mean()
