"""What games are asked about: a turn of a plane or of pictures."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from advorch.artifacts import Signature
from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.game import Game, Turn
from advorch_builtins.generators.catalog import advorch_components

COMPONENTS = {component.name: component for component in advorch_components()}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def plane(classes: int = 3) -> Signature:
    return Signature(shape=(2,), classes=tuple("abcdefgh"[:classes]))


def pictures(side: int = 16, channels: int = 1) -> Signature:
    return Signature(shape=(channels, side, side), classes=("a", "b", "c"), box=(0.0, 1.0))


@pytest.fixture
def signature_of() -> dict[str, Callable[..., Signature]]:
    return {"plane": plane, "pictures": pictures}


@pytest.fixture
def build() -> Callable[..., Game]:
    """A game by the name and the parameters of its component, as a file has them."""

    def made(name: str, signature: Signature, seed: int = 0, **params: Any) -> Game:
        torch.manual_seed(seed)
        component = COMPONENTS[name]
        game: Game = component.load()(component.schema().parse(params), signature)
        return game

    return made


@pytest.fixture
def turn_of() -> Callable[..., Turn]:
    def made(signature: Signature, count: int = 8, share: float = 0.0, seed: int = 1) -> Turn:
        rng = torch.Generator().manual_seed(seed)
        x = torch.rand(count, *signature.shape, generator=rng)
        y = torch.arange(count) % len(signature.classes)
        return Turn(x=x, y=y, rng=rng, draws=Draws(torch.Generator().manual_seed(2)), step=0, share=share)

    return made
