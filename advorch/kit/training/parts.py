"""What any loss may be trained with besides: the shapes of the pieces, and one collection of them for a trainer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.step import Attacks, Step
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a part may know of the training that it joins; the data lie where the trainer keeps them."""

    model: nn.Module
    data: Data
    unlabelled: Data | None
    settings: TrainingSettings
    seeds: Seeds
    ranks: Ranks
    attacks: Attacks
    device: str


class Penalty(Protocol):
    """A term of the loss."""

    def __call__(self, step: Step, /) -> Tensor:
        """The term, a mean over the step's samples where it depends on them; called after the objective."""


class Turn(Protocol):
    """What a descent may do in one step of a trainer."""

    model: nn.Module

    def slope(self, step: Step) -> Tensor:
        """Add the gradient of the loss, averaged over the ranks, to `.grad`, and return this rank's loss."""

    def slope_alone(self, step: Step) -> Tensor:
        """The same of this rank's samples only: the others know nothing of it."""

    def clear(self) -> None:
        """Forget the gradients."""

    def advance(self) -> None:
        """Let the optimiser use the gradients."""


class Descent(Protocol):
    """How weights move in one step."""

    def update(self, step: Step, turn: Turn, /) -> Tensor:
        """Gradients are clear before it; the loss that is reported."""


class Sampler(Protocol):
    """Which samples a step sees."""

    def batch(self, epoch: int, position: int, /) -> Tensor:
        """Indices of the global batch, the same on every rank; epochs count from one, positions from zero."""

    def learn(self, step: Step, /) -> None:
        """Take in how the step went; every rank calls it, and each sees its own samples."""


class Average(Protocol):
    """Weights that follow those that are trained."""

    def follow(self, model: nn.Module, progress: float, /) -> None:
        """After a step; the share of training that is done."""

    def lend(self, copy: nn.Module, /) -> None:
        """Put the averaged weights into a copy of the model."""


class Watcher(Protocol):
    """Looks at the model after each epoch."""

    def watch(self, model: nn.Module, epoch: int, /) -> bool:
        """Whether training shall end here, the same on every rank; it may put earlier weights back."""


@runtime_checkable
class Stateful(Protocol):
    """A piece that a checkpoint must hold."""

    def state(self) -> dict[str, Tensor]:
        """Everything that it needs to go on."""

    def restore(self, state: dict[str, Tensor], /) -> None:
        """Go on from there."""


Finish = Callable[[nn.Module], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The pieces; `baking` undoes on a copy what a part did to the model when it was made, and `finishing` comes
    after it: what is judged, kept and handed over is that copy."""

    penalties: tuple[Penalty, ...] = ()
    descent: Descent | None = None
    sampler: Sampler | None = None
    average: Average | None = None
    watchers: tuple[Watcher, ...] = ()
    baking: tuple[Finish, ...] = ()
    finishing: tuple[Finish, ...] = ()

    def joined(self, other: "Parts") -> "Parts":
        """Both; of what there can be one only, an error where both bring it."""
        return Parts(
            penalties=self.penalties + other.penalties,
            descent=_only("how weights move", self.descent, other.descent),
            sampler=_only("which samples are drawn", self.sampler, other.sampler),
            average=_only("how weights are averaged", self.average, other.average),
            watchers=self.watchers + other.watchers,
            baking=self.baking + other.baking,
            finishing=self.finishing + other.finishing,
        )

    def stateful(self) -> Iterator[Stateful]:
        """The pieces with a state, in an order that depends on what was asked for alone."""
        every: tuple[object, ...] = (*self.penalties, self.descent, self.sampler, self.average, *self.watchers)
        return (piece for piece in every if isinstance(piece, Stateful))

    @property
    def reshape(self) -> bool:
        """Whether what is judged differs from what is trained."""
        return bool(self.average or self.baking or self.finishing)


def _only(what: str, mine: P | None, other: P | None) -> P | None:
    if mine is not None and other is not None:
        hint = "leave one of them out of `parts:`; the stage may bring one of its own"
        raise StageFailed(f"two parts want to decide {what}", error_class=ErrorClass.USER, hint=hint)
    return other if mine is None else mine


def save_state(parts: Parts) -> dict[str, Tensor]:
    """Every piece's state under its place."""
    return {
        f"{place}/{name}": value
        for place, piece in enumerate(parts.stateful())
        for name, value in piece.state().items()
    }


def restore_state(parts: Parts, state: dict[str, Tensor]) -> None:
    """Hand every piece what `save_state` took from it."""
    for place, piece in enumerate(parts.stateful()):
        prefix = f"{place}/"
        piece.restore({name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)})
