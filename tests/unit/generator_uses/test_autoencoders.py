"""Autoencoders with a law of codes: their phases, their priors, and what is done with labels."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.priors import normal, petals, swiss_roll
from advorch.kit.codecs import read_data
from advorch.kit.data import Data
from advorch.registry.discovery import discover
from advorch_builtins.generators.vae import divergence

REGISTRY = discover()
SMALL = {"hidden": [16], "steps": 12, "batch": 20, "samples": 10}
SYSTEMS = ("vae", "aae", "aae-shaped", "aae-style", "aae-semi")
Pictures = Callable[..., Data]


def game_of(system: str, data: Data, **params: Any) -> Game:
    component: Any = REGISTRY.component(f"generate/{system}")
    critic = {} if system == "vae" else {"critic": [8]}
    torch.manual_seed(0)
    game: Game = component.load()(component.params.parse({"hidden": [16], **critic, **params}), data.signature)
    return game


def turn_of(data: Data) -> Turn:
    rng, common = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    return Turn(x=data.x, y=data.y, rng=rng, draws=Draws(common), step=0, labelled=(data.x[:4], data.y[:4]))


def test_the_divergence_of_a_gaussian_is_that_of_the_closed_form() -> None:
    mean, deviation = torch.tensor([[0.5, -1.0]], dtype=torch.float64), torch.tensor([[0.3, 2.0]], dtype=torch.float64)
    law = torch.distributions.Normal(mean, deviation)
    wanted = torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, 2 * deviation.log()), wanted)
    assert float(divergence(torch.zeros(1, 3), torch.zeros(1, 3))) == 0


def test_petals_lie_around_the_origin_and_each_class_has_its_own() -> None:
    numbers = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(20_000) % 10
    codes = petals(numbers, classes, count=10)
    for label in (0, 3):
        own = codes[classes == label]
        angle = 2 * math.pi * label / 10
        out = torch.tensor([math.cos(angle), math.sin(angle)])
        assert float((own @ out).mean()) == pytest.approx(1.4, abs=0.05)
        assert float((own @ out).std()) == pytest.approx(0.5, abs=0.03)
        assert float((own @ out.flip(0).mul(torch.tensor([-1.0, 1.0]))).std()) == pytest.approx(0.05, abs=0.005)


def test_a_swiss_roll_has_a_stretch_for_each_class_from_the_middle_outwards() -> None:
    numbers = torch.randn(10_000, 2, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(10_000) % 10
    radius = swiss_roll(numbers, classes, count=10).norm(dim=1)
    middles = torch.stack([radius[classes == label].mean() for label in range(10)])
    assert (middles.diff() > 0).all()
    assert float(radius.max()) < 3.3
    torch.testing.assert_close(normal(numbers, classes, 5.0), 5 * numbers)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_phase_moves_its_own_and_lets_nothing_flow_further(system: str, pictures: Pictures) -> None:
    data = pictures(20)
    match = Match(game_of(system, data), "cpu")
    for player in match.game.players:
        with match.turn_of(player.name):
            player.loss(turn_of(data)).backward()
        own = set(match.parameters[player.name])
        moved = {item for items in match.parameters.values() for item in items if item.grad is not None}
        assert moved
        assert moved <= own
        for items in match.parameters.values():
            for item in items:
                item.grad = None


def test_the_encoder_is_one_whoever_moves_it(pictures: Pictures) -> None:
    game = game_of("aae", pictures(20))
    autoencoder: Any = game.player("autoencoder").module
    assert autoencoder.encoder is game.player("encoder").module
    assert game.generator is autoencoder


def test_noise_is_added_to_inputs_alone(pictures: Pictures) -> None:
    data = pictures(20)
    game = game_of("aae", data, noise=0.0, norm="none")
    quiet = game.player("autoencoder").loss(turn_of(data))
    assert game.latent is not None
    assert game.latent.encode is not None
    again = game.latent.decode(game.latent.encode(data.x), data.y)
    torch.testing.assert_close(
        quiet, 4 * (again - data.x).square().mean()
    )  # players see [-1, 1], the data is in [0, 1]
    noisy = game_of("aae", data, noise=0.5, norm="none").player("autoencoder").loss(turn_of(data))
    assert not torch.equal(noisy, quiet)


def test_no_critic_of_codes_looks_at_its_batch(pictures: Pictures) -> None:
    for system in SYSTEMS[1:]:
        critic = game_of(system, pictures(20)).player("critic").module
        assert not any(isinstance(layer, nn.BatchNorm1d) for layer in critic.modules())


def test_a_shaped_critic_is_told_that_a_class_is_unknown(pictures: Pictures) -> None:
    data = pictures(20)
    game = game_of("aae-shaped", data)
    seen: list[Tensor] = []
    critic = game.player("critic").module
    critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    hidden = Data(x=data.x, y=torch.full_like(data.y, -1), ids=data.ids, classes=data.classes, box=data.box)
    for known in (data, hidden):
        game.player("critic").loss(turn_of(known))
    labelled, _, unlabelled, _ = seen
    assert torch.equal(labelled[:, 2:].argmax(1), data.y)
    assert set(unlabelled[:, 2:].argmax(1).tolist()) == {2}
    assert float(labelled[data.y == 0, 0].mean()) > 0.5 > -0.5 > float(labelled[data.y == 1, 0].mean())


def test_without_labelled_samples_a_classifier_says_what_it_needs(pictures: Pictures) -> None:
    data = pictures(20)
    alone = Turn(x=data.x, y=data.y, rng=torch.Generator(), draws=Draws(torch.Generator()), step=0)
    with pytest.raises(StageFailed, match="labelled samples"):
        game_of("aae-semi", data).player("classifier").loss(alone)


def test_labels_are_hidden_but_for_equally_many_of_each_class(bench: Any, pictures: Pictures) -> None:
    outcome = bench.run("generate/hide-labels", {"data": bench.data(pictures(40))}, labels=6)
    hidden, labelled = (read_data(outcome.outputs[name].folder) for name in ("data", "labelled"))
    assert torch.bincount(labelled.y).tolist() == [3, 3]
    assert int((hidden.y >= 0).sum()) == 6
    assert torch.equal(hidden.y[hidden.y >= 0], labelled.y)
    assert torch.equal(hidden.ids[hidden.y >= 0], labelled.ids)
    with pytest.raises(StageFailed, match="do not divide"):
        bench.run("generate/hide-labels", {"data": bench.data(pictures(40))}, labels=7)
    with pytest.raises(StageFailed, match="a class has 20 samples"):
        bench.run("generate/hide-labels", {"data": bench.data(pictures(40))}, labels=60)


def test_a_few_labels_are_learnt_from_and_judged(bench: Any, pictures: Pictures) -> None:
    hidden = bench.run("generate/hide-labels", {"data": bench.data(pictures(80))}, labels=4)
    inputs = {name: bench.stored(hidden.outputs[name]) for name in ("data", "labelled")}
    outcome = bench.run("generate/aae-semi", inputs, **SMALL | {"steps": 150}, critic=[8], norm="none")
    test = bench.data(pictures(40, seed=9))
    found = bench.run("evaluate/codes", {"generators": bench.stored(outcome.outputs["generator"]), "data": test})
    assert found.metrics["error"] <= 0.1
    assert {"same_law", "probe", "reconstruction_error"} <= found.metrics.keys()


def test_codes_are_data_and_go_back_to_samples(bench: Any, pictures: Pictures) -> None:
    outcome = bench.run("generate/aae-style", {"data": bench.data(pictures(60))}, **SMALL, critic=[8])
    generator = bench.stored(outcome.outputs["generator"])
    codes = bench.run("generate/encode", {"generator": generator, "data": bench.data(pictures(10))})
    found = read_data(codes.outputs["codes"].folder)
    assert found.signature.shape == (15,)
    assert found.y.tolist() == [0, 1] * 5
    assert 0 < codes.metrics["reconstruction_error"] < 1
    inputs = {"generator": generator, "codes": bench.stored(codes.outputs["codes"])}
    decoded = bench.run("generate/decode", inputs, **{"class": 1})
    assert read_data(decoded.outputs["samples"].folder).x.shape == (10, 1, 4, 4)
    with pytest.raises(StageFailed, match="the data is of shape"):
        bench.run("generate/encode", {"generator": generator, "data": bench.data(pictures(10, side=5))})
