"""Noise in training: the control of Goodfellow et al. (2015, arXiv:1412.6572), 90.4 % of MNIST lost to FGSM at 0.25.

That is with uniform noise; with signs 86.2 %. Gaussian noise is the base of Cohen et al. (2019, arXiv:1902.02918): 60 %
of CIFAR-10 certified at l2 0.25. Both halves of a mix go through the model together, so that batch norm sees both.
"""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import Box
from advorch.kit.attack.draws import Draws
from advorch.kit.box import into_box
from advorch.kit.numbers import check_numbers
from advorch.kit.training.step import Step
from advorch_builtins.training.catalog_noise import NoiseParams


def loss(step: Step, params: NoiseParams) -> Tensor:
    """J = alpha J(x) + (1 - alpha) J(x + noise), both on the same samples; logs the accuracy on noise."""
    noisy = noised(step.x, step.draws("noise"), params, step.box)
    both = torch.cat([step.x, noisy]) if params.alpha else noisy
    logits = step.model(both)
    step.judge(logits[-len(noisy) :])
    losses = [functional.cross_entropy(part, step.y) for part in logits.split(len(noisy))]
    return losses[0] if len(losses) == 1 else params.alpha * losses[0] + (1 - params.alpha) * losses[1]


def noised(x: Tensor, draws: Draws, params: NoiseParams, box: Box | None) -> Tensor:
    """Each sample with noise of its own."""
    check_numbers(x, "noise")
    sample = tuple(x.shape[1:])
    law = {
        "uniform": lambda: draws.uniform(sample, -1.0, 1.0, like=x),
        "sign": lambda: draws.sign(sample, like=x),
        "gaussian": lambda: draws.normal(sample, like=x),
    }
    noisy = x + params.size * law[params.law]()
    clip = params.law != "gaussian" if params.clip is None else params.clip
    return into_box(noisy, box, sample) if clip else noisy
