"""What an objective sees of one training step."""

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import Mode
from advorch.kit.data import Data
from advorch.params import AttackRef
from advorch.seeds import Seeds, derive
from advorch.threat import Box


class Inner(Protocol):
    """Any attack, made ready to run inside training; `InnerAttack.at` is one."""

    def __call__(
        self, module: nn.Module, x: Tensor, y: Tensor, rng: Draws, epsilon: float | Tensor | None, /
    ) -> Tensor:
        """Adversarial examples for a bare module, of which nothing is changed; None is the attack's own epsilon."""


class Attacks(Protocol):
    """Finds the attack that a reference names."""

    def __call__(self, ref: AttackRef, mode: Mode, /) -> Inner:
        """The attack, for a module in this mode."""


@dataclass(slots=True, kw_only=True)
class Step:
    """One rank's part of one batch, and what a loss may need besides.

    A `teacher` is another model, in evaluation mode and without gradients of its own.
    `model` is the bare module, called inside the one forward pass that DistributedDataParallel sees: a loss may call
    it as often as it likes. A loss returns the mean over its samples.
    """

    model: nn.Module
    x: Tensor
    y: Tensor
    ids: Tensor
    unlabelled: Data | None
    epoch: int
    index: int
    progress: float
    seeds: Seeds
    attacks: Attacks
    teacher: nn.Module | None = None
    weight: float = 1.0
    box: Box | None = None
    logged: dict[str, Tensor | float] = field(default_factory=dict)
    _attacked: int = 0

    @property
    def device(self) -> str:
        """Where the tensors of this step live."""
        return str(self.x.device)

    def draws(self, purpose: str, ids: Tensor | None = None) -> Draws:
        """Random numbers of this step that belong to the samples, whichever rank holds them."""
        seed = derive(self.seeds.stream("step"), self.index, purpose)
        return Draws(seed, self.ids if ids is None else ids)

    def attack(
        self,
        ref: AttackRef,
        x: Tensor | None = None,
        y: Tensor | None = None,
        *,
        ids: Tensor | None = None,
        epsilon: float | Tensor | None = None,
        mode: Mode = "eval",
    ) -> Tensor:
        """Adversarial examples for the batch, or for other samples with ids of their own, against the model as it is.

        Weights get no gradient from it, and buffers and modes stay as they are.
        """
        self._attacked += 1
        rng = self.draws(f"attack {self._attacked}", ids)
        x, y = self.x if x is None else x, self.y if y is None else y
        return self.attacks(ref, mode)(self.model, x, y, rng, epsilon)

    def log(self, name: str, value: Tensor | float) -> None:
        """Report a mean over this step's samples under a name; an epoch's value is the mean over all samples."""
        self.logged[name] = value.detach() if isinstance(value, Tensor) else value


def no_attacks(ref: AttackRef, mode: Mode) -> Inner:
    """For a trainer whose objective attacks nothing."""
    raise LookupError(f"this trainer was given no attacks and the objective asked for '{ref.id}'")


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of samples whose largest logit is the label's."""
    return (logits.detach().argmax(1) == y).float().mean()


__all__ = ["Attacks", "Inner", "Mode", "Step", "accuracy", "no_attacks"]
