"""A game: named players, each with a module, an optimiser and a loss, and the order in which they move."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from advorch.kit.adversary.draws import Draws

Build = Callable[[Iterable[nn.Parameter]], Optimizer]
Sample = Callable[[int, torch.Generator], Tensor]
Order = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a loss sees: a fresh minibatch of real samples, random numbers, and how far the game is.

    `draws` belong to the samples, whichever rank holds them; `rng` is this rank's own. `share` is the part of the game
    that was played before this step. A game that learns from labelled samples besides finds some in `labelled`.
    """

    x: Tensor
    y: Tensor
    rng: torch.Generator
    draws: Draws
    step: int
    share: float = 0.0
    labelled: tuple[Tensor, Tensor] | None = None


Loss = Callable[[Turn], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One side: on its turn only its own parameters take gradients, and only they move.

    `rate` multiplies the learning rates, as a function of the share of the game played; `settle` runs after every
    update, which is when weights are clipped.
    """

    name: str
    module: nn.Module
    optimizer: Build
    loss: Loss
    rate: Callable[[float], float] | None = None
    settle: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """The codes that samples are made from: their law, and the samples that codes and labels stand for.

    Of `classes` a label asks for one; without any, labels are not looked at. `encode`, where there is one, finds the
    code of a sample, and `classify` gives it one logit a class; both use the weights of the game's output alone.
    """

    size: int
    draw: Sample
    decode: Callable[[Tensor, Tensor], Tensor]
    encode: Callable[[Tensor], Tensor] | None = None
    classify: Callable[[Tensor], Tensor] | None = None
    classes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One step is one pass over `schedule`; `output` names the player whose weights `sample` draws from.

    A schedule may depend on the step. At the shares in `renewals` all optimisers begin anew.
    """

    players: tuple[Player, ...]
    schedule: Order | Callable[[int], Order]
    sample: Sample
    output: str = "generator"
    ema: float = 0.0
    latent: Latent | None = None
    renewals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        names = [player.name for player in self.players]
        if len(set(names)) != len(names):
            raise ValueError(f"two players share a name: {', '.join(names)}")
        order = self.turns(0)
        unknown = sorted({*order, self.output} - set(names))
        if unknown or not order:
            raise ValueError(f"the schedule and the output must name players, of {', '.join(names)}; got {unknown}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is a decay in [0, 1), got {self.ema}")

    def turns(self, step: int) -> Order:
        """Who moves in this step, in order."""
        return self.schedule(step) if callable(self.schedule) else self.schedule

    def player(self, name: str) -> Player:
        """A player by name."""
        return next(player for player in self.players if player.name == name)

    @property
    def generator(self) -> nn.Module:
        """The module whose weights are the result of the game."""
        return self.player(self.output).module
