"""Stability training: Zheng, Song, Leung and Goodfellow, CVPR 2016 (arXiv:1604.04326), at a variance of 0.04 and lambda
0.01; Carmon et al., NeurIPS 2019 (arXiv:1905.13736), certify by it at lambda 6 and a deviation of 0.25.

CE(f(x), y) + lambda KL(p(x) || p(x + n)), n normal or uniform; the name is also given to the same with noise on the
weights, CE(f_w(x), y) + lambda KL(p_w(x) || p_{w + n}(x)).
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from advorch.kit.training.divergence import kl
from advorch.kit.training.step import Step
from advorch_builtins.training.catalog_noise import NoiseParams
from advorch_builtins.training.catalog_stability import StabilityParams
from advorch_builtins.training.noise import noised


def loss(step: Step, params: StabilityParams) -> Tensor:
    """Two passes, no attack; noise leaves the box, as published."""
    clean = step.model(step.x)
    step.judge(clean)
    natural = functional.cross_entropy(clean, step.y)
    noisy = _of_noisy_samples(step, params) if params.of == "samples" else _of_noisy_weights(step, params)
    apart = kl(clean.detach() if params.detach else clean, noisy).mean()
    step.log("divergence", apart)
    return natural + params.lambda_ * apart


def _of_noisy_samples(step: Step, params: StabilityParams) -> Tensor:
    law = NoiseParams(law=params.law, size=params.size, clip=False)
    logits: Tensor = step.model(noised(step.x, step.draws("stability"), law, step.box))
    return logits


def _of_noisy_weights(step: Step, params: StabilityParams) -> Tensor:
    """The same noise on every rank; each weight gets the gradient of what it became."""
    weights = {name: _noisy(name, weight, step, params) for name, weight in step.model.named_parameters()}
    logits: Tensor = functional_call(step.model, weights, (step.x,))
    return logits


def _noisy(name: str, weight: nn.Parameter, step: Step, params: StabilityParams) -> Tensor:
    """In units of the tensor's root mean square: what is zero throughout stays so."""
    nobody = torch.zeros(1, dtype=torch.int64, device=weight.device)
    law = NoiseParams(law=params.law, size=params.size, clip=False)
    noise = noised(weight.detach().new_zeros(1, *weight.shape), step.draws(f"stability {name}", nobody), law, None)
    return weight + weight.detach().square().mean().sqrt() * noise[0]
