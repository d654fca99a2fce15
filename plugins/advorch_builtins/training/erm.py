"""Empirical risk minimisation."""

from torch import Tensor
from torch.nn import functional

from advorch.kit.training.losses import losses
from advorch.kit.training.step import Step
from advorch_builtins.training.catalog import ErmParams


def loss(step: Step, params: ErmParams) -> Tensor:
    """Mean cross-entropy, or another loss; logs the accuracy before the update."""
    logits = step.model(step.x)
    step.judge(logits)
    if params.loss != "cross-entropy":
        return losses(params.loss, logits, step.y).mean()
    return functional.cross_entropy(logits, step.y, label_smoothing=params.label_smoothing)
