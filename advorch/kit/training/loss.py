"""The one module whose one forward pass DistributedDataParallel sees in a step."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.training.parts import Penalty
from advorch.kit.training.precision import Precision, computing
from advorch.kit.training.step import Step

Objective = Callable[[Step], Tensor]


class LossModule(nn.Module):
    """The objective and the penalties; they may attack and call the model as often as they like inside it."""

    def __init__(
        self, model: nn.Module, objective: Objective, penalties: Sequence[Penalty], precision: Precision
    ) -> None:
        super().__init__()
        self.model = model
        self._objective = objective
        self._penalties = penalties
        self._precision = precision

    def forward(self, step: Step) -> Tensor:
        step.begin()
        with computing(self._precision, step.device):
            loss = self._objective(step)
            for penalty in self._penalties:
                loss = loss + penalty(step)
        if loss.ndim or not loss.requires_grad:
            message = f"the objective returned shape {tuple(loss.shape)}, requires_grad {loss.requires_grad}"
            hint = "return one number, the mean over the step's samples, that depends on `step.model`"
            raise StageFailed(message, error_class=ErrorClass.USER, hint=hint)
        return loss * step.weight


def distributed(module: nn.Module) -> DistributedDataParallel:
    """The module with averaged gradients; running statistics are averaged once an epoch, not at every forward pass."""
    known = signature(DistributedDataParallel.__init__).parameters
    switch = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # renamed in torch 2.13
    options: dict[str, Any] = {switch: False}
    return DistributedDataParallel(module, **options)
