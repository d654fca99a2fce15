"""Autoencoders of sentences, their transfer, and what is measured of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from advorch.errors import StageFailed
from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.codecs import read_data
from advorch.kit.data import Data
from advorch.registry.discovery import discover
from advorch.testing.fakes import tiny_sentences

REGISTRY = discover()
SMALL = {"embedding": 8, "code": 12, "noise_size": 3, "hidden": [8]}


def game_of(system: str, data: Data, **params: Any) -> Game:
    component: Any = REGISTRY.component(f"generate/{system}")
    torch.manual_seed(0)
    game: Game = component.load()(component.params.parse({**SMALL, **params}), data.signature)
    return game


def turn_of(data: Data) -> Turn:
    draws = Draws(torch.Generator().manual_seed(0))
    return Turn(x=data.x, y=data.y, rng=torch.Generator(), draws=draws, step=0)


def test_codes_have_length_one_whoever_made_them() -> None:
    data = tiny_sentences()
    latent = game_of("arae", data).latent
    assert latent is not None
    assert latent.encode is not None
    for codes in (latent.encode(data.x), latent.draw(9, torch.Generator().manual_seed(0))):
        torch.testing.assert_close(codes.norm(dim=1), torch.ones(len(codes)))


def test_what_follows_the_end_mark_changes_nothing() -> None:
    data = tiny_sentences()
    longer = Data(x=torch.nn.functional.pad(data.x, (0, 3)), y=data.y, ids=data.ids, classes=data.classes, box=data.box)
    short, long = (game_of("arae", part, noise=0.0) for part in (data, longer))
    losses = [game.player("autoencoder").loss(turn_of(part)) for game, part in ((short, data), (long, longer))]
    torch.testing.assert_close(*losses)
    assert short.latent is not None
    assert long.latent is not None
    torch.testing.assert_close(short.latent.encode(data.x), long.latent.encode(longer.x))  # type: ignore[misc]


def test_sentences_end_once_and_hold_no_start_mark() -> None:
    data = tiny_sentences()
    drawn = game_of("arae", data).sample(40, torch.Generator().manual_seed(0))
    assert drawn.dtype == torch.int64
    after = (drawn == 2).cumsum(1).roll(1, 1)
    after[:, 0] = 0
    assert (drawn[after > 0] == 0).all()
    assert not (drawn[after == 0] < 2).any()


def test_a_few_sentences_are_learnt_by_heart() -> None:
    data = tiny_sentences(6)
    game = game_of("arae", data, embedding=16, code=32, noise=0.0)
    player = game.player("autoencoder")
    optimizer = torch.optim.Adam(player.module.parameters(), lr=0.02)
    for _ in range(120):
        optimizer.zero_grad()
        player.loss(turn_of(data)).backward()
        optimizer.step()
    assert game.latent is not None
    assert game.latent.encode is not None
    assert torch.equal(game.latent.decode(game.latent.encode(data.x), data.y), data.x)


def test_each_class_has_a_decoder_and_the_encoder_hides_the_class() -> None:
    data = tiny_sentences()
    game = game_of("arae-transfer", data, lr_encoder=1.0, lambda_class=1.0)
    coder: Any = game.player("autoencoder").module
    assert len(coder.decoders) == 2
    game.player("encoder").loss(turn_of(data)).backward()
    assert coder.encoder.embedding.weight.grad.abs().sum() > 0
    with pytest.raises(StageFailed, match="no other class"):
        game_of("arae-transfer", replace(data, classes=("one",)))


def test_real_numbers_are_no_sentences(bench: Any, pictures: Callable[..., Data]) -> None:
    with pytest.raises(StageFailed, match="played over sentences"):
        bench.run("generate/arae", {"data": bench.data(pictures(8))}, steps=1)
    with pytest.raises(StageFailed, match="real numbers"):
        bench.run("generate/gan", {"data": bench.data(tiny_sentences())}, steps=1)


def test_sentences_are_transferred_under_their_ids_and_judged(bench: Any) -> None:
    data = tiny_sentences(40)
    trained = bench.run(
        "generate/arae-transfer", {"data": bench.data(data)}, **SMALL, steps=5, batch=8, samples=10, lr=0.01
    )
    generator = bench.stored(trained.outputs["generator"])
    made = bench.run("generate/transfer", {"generator": generator, "data": bench.data(data)})
    found = read_data(made.outputs["samples"].folder)
    assert torch.equal(found.ids, data.ids)
    assert torch.equal(found.y, 1 - data.y)
    assert found.vocabulary == data.vocabulary
    towards = bench.run("generate/transfer", {"generator": generator, "data": bench.data(data)}, to="class 1")
    assert set(read_data(towards.outputs["samples"].folder).y.tolist()) == {1}
    drawn = bench.run("generate/sample", {"generator": generator}, samples=6)
    assert read_data(drawn.outputs["samples"].folder).vocabulary == data.vocabulary


def told_apart(count: int, seed: int) -> Data:
    """Class 0 says word 4, class 1 says word 5, among other words."""
    data = tiny_sentences(count, seed=seed)
    x = torch.where((data.x == 4) | (data.x == 5), 6, data.x)
    return replace(data, x=torch.cat([4 + data.y[:, None], x[:, :5]], dim=1))


def judged(bench: Any, samples: Data, given: Data) -> dict[str, float]:
    inputs = {"samples": bench.samples(samples), "data": bench.data(given), "judged_by": bench.data(told_apart(200, 7))}
    metrics: dict[str, float] = bench.run("evaluate/sentence-transfer", inputs).metrics
    return metrics


def test_a_changed_word_flips_and_a_copy_does_not(bench: Any) -> None:
    given = told_apart(40, 1)
    flipped = replace(given, x=torch.cat([9 - given.x[:, :1], given.x[:, 1:]], dim=1), y=1 - given.y)
    found = judged(bench, flipped, given)
    assert found["judge_accuracy"] == 1
    assert found["flipped"] == 1
    assert found["copied"] == 0
    assert 0.3 < found["overlap"] < 1
    copies = judged(bench, replace(given, y=1 - given.y), given)
    assert (copies["flipped"], copies["copied"], copies["overlap"]) == (0, 1, 1)


def test_few_sentences_show_in_the_reverse_perplexity(bench: Any) -> None:
    data = tiny_sentences(300)
    same, few = tiny_sentences(150, seed=5), tiny_sentences(150, seed=6)
    few = replace(few, x=few.x[:2].repeat(75, 1))
    fair, collapsed = (
        bench.run("evaluate/sentences", {"samples": bench.samples(part), "data": bench.data(data)}).metrics
        for part in (same, few)
    )
    assert fair["reverse"] == pytest.approx(fair["reverse_floor"], rel=0.15)
    assert collapsed["reverse"] > 1.5 * collapsed["reverse_floor"]
    assert collapsed["unique"] == pytest.approx(2 / 150)
