"""Defensive distillation: Papernot, McDaniel, Wu, Jha and Swami, S&P 2016 (arXiv:1511.04508).

Train a teacher at a temperature, then a pupil on its probabilities at the same temperature, and use the pupil at one.
Its logits are then larger by that factor, and float32 has no gradient of its softmax: attacks that need one fail, and
others do not (Carlini and Wagner, S&P 2017). A defence to examine, not to rely on.
"""

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.training.step import Step
from advorch_builtins.defenses.catalog import DistillationParams


def loss(step: Step, params: DistillationParams) -> Tensor:
    """Cross-entropy at the temperature, with the teacher's probabilities; without a teacher with the labels, which
    makes one."""
    logits = step.model(step.x)
    step.judge(logits)
    return functional.cross_entropy(logits / params.temperature, _targets(step, params.temperature))


def _targets(step: Step, temperature: float) -> Tensor:
    if step.teacher is None:
        return step.y
    with torch.no_grad():
        probabilities: Tensor = (step.teacher(step.x) / temperature).softmax(1)
    return probabilities
