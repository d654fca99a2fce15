"""What autoencoders of the literature must reach on real data, in a few minutes of one core; three seeds each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.kit.adversary.game import Game, Latent
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data
from advorch.kit.evaluation.codes import nearest_class, probe
from advorch.kit.evaluation.language import overlap, sentences, unique_share
from advorch.registry.discovery import discover

REGISTRY = discover()
SEEDS = (0, 1, 2)
NARROW = {"hidden": [300, 300], "critic": [300, 300]}

pytestmark = pytest.mark.long


def loaded(uses: str, split: str, **params: Any) -> Data:
    component: Any = REGISTRY.component(f"dataset/{uses}")
    data: Data = component.load()(component.params.parse(params), split)
    return data


@pytest.fixture
def mnist(data_folder: Path) -> Callable[[str], Data]:
    return lambda split: loaded("mnist", split, root=str(data_folder / "mnist"))


def played(system: str, data: Data, steps: int, seed: int, labelled: Data | None = None, **params: Any) -> Game:
    component: Any = REGISTRY.component(f"generate/{system}")
    batch = params.pop("batch", 256)
    torch.manual_seed(seed)
    match = Match(component.load()(component.params.parse(params), data.signature), "cpu")
    play(match, data, Rules(steps=steps, batch=batch, seed=seed, report_every=steps), lambda *_: None, None, labelled)
    match.game.generator.eval()
    return match.game


def latent_of(game: Game) -> Latent:
    assert game.latent is not None
    return game.latent


def few_of(data: Data, count: int, seed: int) -> Data:
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return data.take(torch.cat([order[data.y[order] == label][: count // 10] for label in range(10)]))


@torch.no_grad()
def error_of(game: Game, data: Data) -> float:
    classify = latent_of(game).classify
    assert classify is not None
    return float((classify(data.x).argmax(1) != data.y).double().mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hundred_labels_are_worth_more_with_the_game(mnist: Callable[[str], Data], seed: int) -> None:
    train, test = mnist("train").take(slice(50_000)), mnist("test")
    labelled = few_of(train, 100, seed)
    alone = error_of(supervised(train, labelled, seed), test)
    together = error_of(played("aae-semi", train, 1600, seed, labelled, **NARROW), test)
    assert together <= 0.12
    assert together <= 0.6 * alone


def supervised(train: Data, labelled: Data, seed: int) -> Game:
    """The same encoder, with the third phase alone."""
    component: Any = REGISTRY.component("generate/aae-semi")
    torch.manual_seed(seed)
    game: Game = component.load()(component.params.parse(NARROW), train.signature)
    match = Match(replace(game, schedule=("classifier",)), "cpu")
    play(match, train, Rules(steps=1600, batch=256, seed=seed, report_every=1600), lambda *_: None, None, labelled)
    match.game.generator.eval()
    return match.game


@torch.no_grad()
@pytest.mark.parametrize("seed", SEEDS)
def test_labels_shape_the_codes(mnist: Callable[[str], Data], seed: int) -> None:
    train, test = mnist("train"), mnist("test").take(slice(4000))
    known = torch.where(torch.arange(len(train)) < 10_000, train.y, -1)
    with torch.enable_grad():
        game = played("aae-shaped", replace(train, y=known), 900, seed, **NARROW)
    encode = latent_of(game).encode
    assert encode is not None
    assert nearest_class(encode(test.x), test.y) >= 0.85


@torch.no_grad()
@pytest.mark.parametrize("seed", SEEDS)
def test_styles_do_not_tell_the_class(mnist: Callable[[str], Data], seed: int) -> None:
    train, test = mnist("train"), mnist("test").take(slice(4000))
    with torch.enable_grad():
        game = played("aae-style", train, 900, seed, **NARROW)
    encode = latent_of(game).encode
    assert encode is not None
    assert probe(encode(test.x), test.y) <= 0.35


@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_change_their_sentiment_and_keep_their_words(data_folder: Path, seed: int) -> None:
    files = {"train": ["sentiment.dev.0", "sentiment.dev.1"], "test": ["sentiment.test.0", "sentiment.test.1"]}
    params = {"root": str(data_folder / "yelp"), **files, "length": 11, "vocabulary": 3000}
    train, test = (loaded("sentences", split, **params) for split in ("train", "test"))
    game = played("arae-transfer", train, 1500, seed, lr=3e-3, noise=0.05, k=2, batch=64)
    given = test.take(torch.randperm(len(test), generator=torch.Generator().manual_seed(9))[:1000])
    latent = latent_of(game)
    assert latent.encode is not None
    with torch.no_grad():
        made = latent.decode(latent.encode(given.x), 1 - given.y)
    kept = [overlap(*pair) for pair in zip(sentences(made), sentences(given.x), strict=True)]
    assert sum(kept) / len(kept) >= 0.15
    assert sum(share == 1 for share in kept) / len(kept) < 0.2
    drawn = game.sample(500, torch.Generator().manual_seed(0))
    assert unique_share(sentences(drawn)) >= 0.5
