"""A game: named players, each with a module, an optimiser and a loss, and the order in which they move."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Build = Callable[[Iterable[nn.Parameter]], Optimizer]
Sample = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a loss sees: a fresh minibatch of real samples, and the random numbers of this step."""

    x: Tensor
    y: Tensor
    rng: torch.Generator
    step: int


Loss = Callable[[Turn], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One side: on its turn only its own parameters take gradients, and only they move."""

    name: str
    module: nn.Module
    optimizer: Build
    loss: Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One step is one pass over `schedule`; `output` names the player whose weights `sample` draws from."""

    players: tuple[Player, ...]
    schedule: tuple[str, ...]
    sample: Sample
    output: str = "generator"
    ema: float = 0.0

    def __post_init__(self) -> None:
        names = [player.name for player in self.players]
        if len(set(names)) != len(names):
            raise ValueError(f"two players share a name: {', '.join(names)}")
        unknown = sorted({*self.schedule, self.output} - set(names))
        if unknown or not self.schedule:
            raise ValueError(f"the schedule and the output must name players, of {', '.join(names)}; got {unknown}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is a decay in [0, 1), got {self.ema}")

    def player(self, name: str) -> Player:
        """A player by name."""
        return next(player for player in self.players if player.name == name)

    @property
    def generator(self) -> nn.Module:
        """The module whose weights are the result of the game."""
        return self.player(self.output).module
