"""A small game with everything that a checkpoint must hold: momentum, running statistics, dropout, an average."""

import functools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advorch.kit.adversary.game import Game, Player, Turn
from advorch.kit.adversary.losses import critic_loss, non_saturating_loss
from advorch.kit.data import Data


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def build_game(ema: float = 0.9, k: int = 2, seed: int = 0) -> Game:
    """Two players that differ in optimiser, with batch norm in one and dropout in the other."""
    torch.manual_seed(seed)
    generator = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1), nn.Flatten(0))

    def sample(count: int, rng: torch.Generator) -> Tensor:
        drawn: Tensor = generator(torch.randn(count, 3, generator=rng, device=rng.device))
        return drawn

    def criticise(turn: Turn) -> Tensor:
        return critic_loss(critic(turn.x), critic(sample(len(turn.x), turn.rng).detach()))

    def generate(turn: Turn) -> Tensor:
        return non_saturating_loss(critic(sample(len(turn.x), turn.rng)))

    sgd = functools.partial(torch.optim.SGD, lr=0.05, momentum=0.9)
    adam = functools.partial(torch.optim.Adam, lr=0.01, betas=(0.5, 0.9))
    return Game(
        players=(
            Player(name="critic", module=critic, optimizer=adam, loss=criticise),
            Player(name="generator", module=generator, optimizer=sgd, loss=generate),
        ),
        schedule=("critic",) * k + ("generator",),
        sample=sample,
        ema=ema,
    )


@pytest.fixture
def new_game() -> Callable[..., Game]:
    return build_game


@pytest.fixture
def ring() -> Callable[[int, int], Data]:
    """Eight Gaussians, standard deviation 0.02, on a circle of radius 2; the mode is the label."""

    def draw(count: int, seed: int) -> Data:
        rng = torch.Generator().manual_seed(seed)
        y = torch.randint(8, (count,), generator=rng)
        angle = 2 * math.pi * y / 8
        x = 2 * torch.stack([angle.cos(), angle.sin()], dim=1) + 0.02 * torch.randn(count, 2, generator=rng)
        return Data(x=x, y=y, ids=torch.arange(count), classes=tuple("01234567"))

    return draw
