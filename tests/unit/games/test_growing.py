"""Progressive growing: what fades in does so from nothing, and every size is what the paper has it."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from advorch.artifacts import Signature
from advorch.errors import StageFailed
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data
from advorch_builtins.generators.canvas import Canvas
from advorch_builtins.generators.growing import (
    Equalised,
    GrowingCritic,
    GrowingGenerator,
    PixelNorm,
    Spread,
    doubled,
    shrunk,
)
from advorch_builtins.generators.progressive_gan import grown

Build = Callable[..., Game]
TurnOf = Callable[..., Turn]
WIDTHS = (6, 5, 4)


def pair() -> tuple[GrowingGenerator, GrowingCritic]:
    torch.manual_seed(0)
    return GrowingGenerator(7, WIDTHS, 2), GrowingCritic(WIDTHS, 2)


@pytest.mark.parametrize("level", [0, 1])
def test_a_level_of_which_nothing_is_faded_in_changes_nothing(level: int) -> None:
    generator, critic = pair()
    for player in (generator, critic):
        player.grow(float(level))
    code = torch.randn(5, 7)
    before, picture = generator(code), torch.randn(5, 2, 8 << level, 8 << level)
    judged = critic(shrunk(picture, level, 1.0))
    for player in (generator, critic):
        player.fade(level + 1, 0.0)
    assert torch.equal(generator(code), doubled(before))
    assert torch.equal(critic(picture), judged)


def test_a_level_that_is_all_there_hides_the_one_before() -> None:
    generator, _ = pair()
    generator.grow(1.0)
    code = torch.randn(3, 7)
    whole = generator(code)
    nn.init.constant_(generator.colours[0].layer.weight, 9.0)
    assert torch.equal(generator(code), whole)
    generator.grow(0.5)
    assert not torch.allclose(generator(code), whole)


def test_samples_are_faded_as_the_generator_s_are() -> None:
    x = torch.rand(4, 1, 16, 16)
    coarse = doubled(nn.functional.avg_pool2d(nn.functional.avg_pool2d(x, 2), 2))
    fine = nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(shrunk(x, 1, 0.25), 0.75 * coarse + 0.25 * fine)
    assert torch.equal(shrunk(x, 2, 1.0), x)


def test_a_game_stands_and_fades_in_equal_parts() -> None:
    shares = [part / 10 for part in range(11)]
    expected = [0, 0, 0, 0.5, 1, 1, 1, 1.5, 2, 2, 2]
    assert [grown(share, levels=3) for share in shares] == pytest.approx(expected)
    assert [grown(share, levels=1) for share in (0.0, 0.5, 1.0)] == [0, 0, 0]


def test_the_schedule_is_a_function_of_the_share_alone(build: Build, turn_of: TurnOf) -> None:
    signature = pictures(16)
    game = build("progressive-gan", signature, width=4, latent=8)
    assert game.renewals == pytest.approx((0.2, 0.4, 0.6, 0.8))
    for share, stand in ((0.9, (2, 1.0)), (0.0, (0, 1.0)), (0.3, (1, 0.5))):
        game.player("critic").loss(turn_of(signature, share=share))
        for player in game.players:
            level, alpha = player.module.stand()
            assert (level, alpha) == (stand[0], pytest.approx(stand[1]))


def test_how_far_it_has_grown_is_kept_with_the_weights(build: Build) -> None:
    signature = pictures(16)
    match = Match(build("progressive-gan", signature, width=4, latent=8), "cpu")
    x = torch.rand(16, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    data = Data(x=x, y=torch.zeros(16).long(), ids=torch.arange(16), classes=("a",), box=(0.0, 1.0))
    play(match, data, Rules(steps=10, batch=8, seed=0), lambda *_: None)
    again = build("progressive-gan", signature, seed=3, width=4, latent=8)
    assert again.generator.stand() == (0, 1.0)
    again.generator.load_state_dict(match.game.generator.state_dict())
    assert again.generator.stand() == (2, 1.0)


def test_weights_start_as_standard_normal_and_are_scaled_when_used() -> None:
    torch.manual_seed(0)
    layer = Equalised(nn.Linear(400, 300))
    assert float(layer.layer.weight.detach().std()) == pytest.approx(1, abs=0.01)
    assert float(layer(torch.randn(500, 400)).detach().std()) == pytest.approx(2**0.5, rel=0.02)


def test_pixel_norm_brings_every_pixel_to_one() -> None:
    x = PixelNorm()(torch.randn(2, 16, 3, 3) * 5)
    torch.testing.assert_close(x.square().mean(dim=1), torch.ones(2, 3, 3))


def test_the_deviation_of_a_minibatch_is_a_channel() -> None:
    equal = torch.randn(1, 3, 4, 4).expand(8, 3, 4, 4)
    assert float(Spread()(equal)[:, 3].max()) < 1e-3
    x = torch.randn(4, 3, 4, 4)
    expected = x.var(dim=0, unbiased=False).add(1e-8).sqrt().mean()
    torch.testing.assert_close(Spread()(x)[:, 3], expected.expand(4, 4, 4))
    assert Spread()(torch.randn(6, 3, 4, 4)).shape == (6, 4, 4, 4)  # a batch that no group divides is one group


@pytest.mark.parametrize(
    ("shape", "levels", "side"), [((1, 8, 8), 2, 8), ((1, 28, 28), 4, 32), ((3, 5, 16), 3, 16), ((1, 3, 2), 1, 4)]
)
def test_a_picture_comes_back_from_its_canvas(shape: tuple[int, ...], levels: int, side: int) -> None:
    canvas = Canvas(Signature(shape=shape, classes=("a",), box=(0.0, 1.0)))
    assert (canvas.levels, canvas.side) == (levels, side)
    x = torch.rand(2, *shape)
    assert canvas.inward(x).shape == (2, shape[0], side, side)
    torch.testing.assert_close(canvas.outward(canvas.inward(x)), x)


def test_points_do_not_grow(build: Build) -> None:
    with pytest.raises(StageFailed, match="only pictures grow"):
        build("progressive-gan", Signature(shape=(2,), classes=("a",)))


def pictures(side: int) -> Signature:
    return Signature(shape=(1, side, side), classes=("a",), box=(0.0, 1.0))
