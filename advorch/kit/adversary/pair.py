"""A generator and a critic: what the games of most papers have in common, so that a method's file holds the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from advorch.kit.adversary.game import Build, Game, Latent, Loss, Order, Player, Turn
from advorch.kit.adversary.space import Space


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Modules of `(code)` and `(sample)`; with `classes`, of `(code, y)` and `(sample, y)`.

    A critic with an auxiliary head is asked for classes by `classify`, which gives logits of a sample.
    """

    generator: nn.Module
    critic: nn.Module
    space: Space
    latent: int
    classes: int = 0
    classify: Callable[[Tensor], Tensor] | None = None

    def real(self, turn: Turn) -> Tensor:
        """The minibatch, as the critic sees it."""
        return self.space.inward(turn.x)

    def fakes(self, turn: Turn) -> Tensor:
        """As many new samples, for the critic: nothing flows back into the generator."""
        with torch.no_grad():
            return self.imitations(turn)

    def imitations(self, turn: Turn) -> Tensor:
        """As many new samples, for the generator; labels are the minibatch's, so their law is the data's."""
        return self.made(turn.draws.normal(len(turn.x), self.latent), turn.y)

    def made(self, code: Tensor, y: Tensor) -> Tensor:
        """What the generator makes of a code."""
        made: Tensor = self.generator(code, y) if self.classes else self.generator(code)
        return made

    def scores(self, x: Tensor, turn: Turn) -> Tensor:
        """What the critic says of samples under the minibatch's labels."""
        scores: Tensor = self.critic(x, turn.y) if self.classes else self.critic(x)
        return scores

    def misread(self, x: Tensor, turn: Turn) -> Tensor:
        """How badly the auxiliary head reads the label off a sample; nothing, where there is no such head."""
        return cross_entropy(self.classify(x), turn.y) if self.classify else x.new_zeros(())

    @cached_property
    def codes(self) -> Latent:
        """Standard normal codes, and what becomes of them."""

        def draw(count: int, rng: torch.Generator) -> Tensor:
            return torch.randn(count, self.latent, generator=rng, device=rng.device)

        def decode(code: Tensor, y: Tensor) -> Tensor:
            return self.space.outward(self.made(code, y))

        return Latent(size=self.latent, draw=draw, decode=decode, classes=self.classes)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """New samples in the data's units, of all classes alike."""
        code = self.codes.draw(count, rng)
        return self.codes.decode(code, torch.randint(max(1, self.classes), (count,), generator=rng, device=rng.device))


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a pair learns: optimisers, how their rates fall, the generator's average, and who moves when."""

    critic: Build
    generator: Build
    schedule: Order | Callable[[int], Order]
    ema: float = 0.0
    rate: Callable[[float], float] | None = None
    settle: Callable[[], None] | None = None


def duel(pair: Pair, terms: Terms, *, criticise: Loss, generate: Loss) -> Game:
    """The game of two: `settle` is run after each of the critic's steps."""
    critic = Player(
        name="critic",
        module=pair.critic,
        optimizer=terms.critic,
        loss=criticise,
        rate=terms.rate,
        settle=terms.settle,
    )
    generator = Player(
        name="generator", module=pair.generator, optimizer=terms.generator, loss=generate, rate=terms.rate
    )
    return Game(
        players=(critic, generator), schedule=terms.schedule, sample=pair.sample, ema=terms.ema, latent=pair.codes
    )
