"""One step's dealings with the loss and the optimiser, for whoever decides how weights move."""

from contextlib import nullcontext

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from advorch.kit.training.parts import Turn
from advorch.kit.training.step import Step


class OpenTurn:
    """The trainer's own loss module and optimiser."""

    def __init__(self, model: nn.Module, loss: nn.Module, optimizer: Optimizer) -> None:
        self.model = model
        self._loss = loss
        self._optimizer = optimizer

    def slope(self, step: Step) -> Tensor:
        """Add the gradient of the loss, averaged over the ranks, to `.grad`, and return this rank's loss.

        Asked again for the same step, the model is tried on what was found the first time: see `Step.again`.
        """
        loss: Tensor = self._loss(step)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach() / step.weight if step.weight else loss.detach() * 0

    def slope_alone(self, step: Step) -> Tensor:
        """The same of this rank's samples only: the others know nothing of it."""
        with self._loss.no_sync() if isinstance(self._loss, DistributedDataParallel) else nullcontext():
            return self.slope(step)

    def clear(self) -> None:
        """Forget the gradients."""
        self._optimizer.zero_grad(set_to_none=True)

    def advance(self) -> None:
        """Let the optimiser use the gradients."""
        self._optimizer.step()


class Plain:
    """Gradient descent, as the optimiser has it."""

    def update(self, step: Step, turn: Turn, /) -> Tensor:
        """One gradient, one update."""
        loss = turn.slope(step)
        turn.advance()
        return loss
