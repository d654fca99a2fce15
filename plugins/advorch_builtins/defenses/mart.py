"""MART: Wang et al., ICLR 2020. ResNet-18 on CIFAR-10 at 8/255, as MAIR measures it: 54.7 % under PGD-10, 2.0 more than
plain adversarial training, and 47.5 % under AutoAttack, 1.2 less: never rank it by PGD.

BCE(p(x'), y) + lambda KL(p(x) || p(x')) (1 - p_y(x)), BCE(p, y) = -log p_y - log(1 - max_{k != y} p_k).
"""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.training.divergence import kl
from advorch.kit.training.step import Step
from advorch_builtins.defenses.catalog_losses import MartParams

_CERTAIN = 1.0001  # of the authors' code: in place of 1, so that a certain mistake costs 9.2 and not infinity


def loss(step: Step, params: MartParams) -> Tensor:
    """The gradient runs through both predictions and through the weight 1 - p_y, as in the authors' code."""
    adversarial = step.attack(params.attack, mode=params.mode)
    clean, logits = step.model(step.x), step.model(adversarial)
    hard = boosted_cross_entropy(logits, step.y).mean()
    doubt: Tensor = 1 - clean.softmax(1).gather(1, step.y[:, None]).squeeze(1)
    apart = (kl(clean, logits) * doubt).mean()
    step.log("adversarial_loss", hard)
    step.log("divergence", apart)
    step.judge(logits)
    return hard + params.lambda_ * apart


def boosted_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy, and what the likeliest wrong class costs, of each sample."""
    wrong = logits.softmax(1).scatter(1, y[:, None], 0).amax(1)
    cost: Tensor = functional.cross_entropy(logits, y, reduction="none") - torch.log(_CERTAIN - wrong)
    return cost
