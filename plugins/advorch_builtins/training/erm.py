"""Empirical risk minimisation."""

from torch import Tensor
from torch.nn import functional

from advorch.kit.training.step import Step, accuracy
from advorch_builtins.training.catalog import ErmParams


def loss(step: Step, params: ErmParams) -> Tensor:
    """Mean cross-entropy; logs the accuracy before the update."""
    logits = step.model(step.x)
    step.log("accuracy", accuracy(logits, step.y))
    return functional.cross_entropy(logits, step.y, label_smoothing=params.label_smoothing)
