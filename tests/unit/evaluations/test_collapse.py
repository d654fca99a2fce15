"""A generator that collapsed and one that did not, told apart at the end and on the way."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advorch.artifacts import Signature
from advorch.kit.adversary.game import Game, Latent, Player
from advorch.kit.adversary.generator import GeneratorRecord
from advorch.kit.adversary.moments import Moments
from advorch.kit.adversary.opening import OpenGenerator
from advorch.kit.adversary.optimizers import sgd
from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject, name_generators
from advorch_builtins.evaluations.catalog_collapse import CollapseParams
from advorch_builtins.evaluations.collapse import Collapse

CENTRES = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
Place = Callable[[Tensor], Tensor]


def three(count: int = 600) -> Data:
    y = torch.arange(count) % 3
    x = CENTRES[y] + 0.05 * torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
    return Data(x=x, y=y, ids=torch.arange(count), classes=("a", "b", "c"))


def opened(label: str, place: Place) -> OpenGenerator:
    """One that puts a code where it is told to."""

    def decode(code: Tensor, y: Tensor) -> Tensor:
        return place(code)

    def draw(count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, 2, generator=rng)

    player = Player(name="generator", module=nn.Linear(1, 1), optimizer=sgd(0.1, 0.0), loss=lambda turn: turn.x.sum())
    latent = Latent(size=2, draw=draw, decode=decode)
    game = Game(
        players=(player,), schedule=("generator",), latent=latent, sample=lambda count, rng: place(draw(count, rng))
    )
    record = GeneratorRecord(component="generate/x", params={}, signature=Signature(shape=(2,), classes=("a",)))
    codes = torch.randn(2, 200, 2, generator=torch.Generator().manual_seed(1))
    moments = Moments((10, 20), torch.stack([place(code) for code in codes]))
    return OpenGenerator(game=game, record=record, label=label, digest="0" * 64, moments=moments)


def everywhere(code: Tensor) -> Tensor:
    return CENTRES[torch.arange(len(code)) % 3] + 0.05 * code


def in_one_place(code: Tensor) -> Tensor:
    return CENTRES[0] + 0.05 * code


def test_a_collapse_is_told_from_a_cover() -> None:
    data = three()
    generators = name_generators([opened("all", everywhere), opened("one", in_one_place)])
    subject = Subject(data=data, generators=generators)
    evaluation, params = Collapse(), CollapseParams(samples=900, transport=200)
    rows = evaluation.map(subject, data, params)
    found = evaluation.reduce(subject, rows, params)
    assert found.metrics["all.modes"] == 3
    assert found.metrics["one.modes"] == 1
    assert found.metrics["all.quality"] > 0.9
    assert found.metrics["one.divergence"] > 1
    assert found.metrics["one.w1"] > 5 * found.metrics["one.w1_floor"]
    assert found.metrics["all.w1"] < 2 * found.metrics["all.w1_floor"]
    (table,) = found.tables.values()
    assert table.column("modes") == (3, 1)
    pictures = {name: figure() if callable(figure) else figure for name, figure in found.figures.items()}
    assert pictures.keys() == {"Samples over training", "Modes over training"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
