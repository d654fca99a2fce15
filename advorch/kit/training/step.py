"""What an objective sees of one training step."""

from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import Mode
from advorch.kit.data import Data
from advorch.kit.training.strength import Strength
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

    A `teacher` is another model, in evaluation mode and without gradients of its own; `attacked` is what the last
    attack found, and `right` tells of the trained-on samples which the model knew.
    `model` is the bare module, called inside the one forward pass that DistributedDataParallel sees: a loss may call
    it as often as it likes. A loss returns the mean over its samples.
    """

    model: nn.Module
    x: Tensor
    y: Tensor
    ids: Tensor
    unlabelled: Data | None
    unlabelled_weight: float = 1.0
    epoch: int
    index: int
    progress: float
    seeds: Seeds
    attacks: Attacks
    teacher: nn.Module | None = None
    weight: float = 1.0
    box: Box | None = None
    strength: Strength = field(default_factory=Strength)
    variant: int = 0
    logged: dict[str, Tensor | float] = field(default_factory=dict)
    right: Tensor | None = None
    attacked: Tensor | None = None
    _asked: int = 0
    _passes: int = 0
    _found: dict[int, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """Where the tensors of this step live."""
        return str(self.x.device)

    def draws(self, purpose: str, ids: Tensor | None = None) -> Draws:
        """Random numbers of this step that belong to the samples, whichever rank holds them."""
        variant = (self.variant,) if self.variant else ()
        seed = derive(self.seeds.stream("step"), self.index, purpose, *variant)
        return Draws(seed, self.ids if ids is None else ids)

    def again(self, variant: int) -> Self:
        """The same batch with other random numbers, and attacked anew."""
        return replace(self, variant=variant, logged=self.logged, right=None, attacked=None, _passes=0, _found={})

    def begin(self) -> None:
        """A pass of the loss begins; in a second one the attacks are what they were, whatever the weights are now."""
        self._asked = 0
        self._passes += 1

    @property
    def fresh(self) -> bool:
        """Whether this is the first look at the batch: later ones see it again, or are variants of it."""
        return self._passes < 2 and not self.variant

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
        self._asked += 1
        if self._passes < 2 or self._asked not in self._found:
            rng = self.draws(f"attack {self._asked}", ids)
            x, y = self.x if x is None else x, self.y if y is None else y
            ready = self.attacks(self.strength.shortened(ref), mode)
            self._found[self._asked] = ready(self.model, x, y, rng, self.strength.radius(ref, epsilon))
        self.attacked = self._found[self._asked]
        return self.attacked

    def over_unlabelled(self, mean: Tensor) -> Tensor:
        """A mean over this rank's unlabelled samples, as a term of the loss: ranks may have more of the ones or the
        others."""
        return mean * (self.unlabelled_weight / self.weight) if self.weight else mean

    def log(self, name: str, value: Tensor | float) -> None:
        """Report a mean over this step's samples under a name; an epoch's value is the mean over all samples."""
        if self.fresh or name not in self.logged:
            self.logged[name] = value.detach() if isinstance(value, Tensor) else value

    def judge(self, logits: Tensor) -> None:
        """Report the accuracy on what is trained on, and keep who was right for a sampler that learns from it."""
        if self._passes < 2:
            self.right = logits.detach().argmax(1) == self.y
        self.log("accuracy", accuracy(logits, self.y))


def no_attacks(ref: AttackRef, mode: Mode) -> Inner:
    """For a trainer whose objective attacks nothing."""
    raise LookupError(f"this trainer was given no attacks and the objective asked for '{ref.id}'")


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of samples whose largest logit is the label's."""
    return (logits.detach().argmax(1) == y).float().mean()


__all__ = ["Attacks", "Inner", "Mode", "Step", "accuracy", "no_attacks"]
