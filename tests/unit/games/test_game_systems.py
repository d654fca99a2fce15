"""What the games of all papers have in common, and what sets each apart."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from advorch.artifacts import Signature
from advorch.errors import StageFailed
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.losses import hinge_loss
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data

Build = Callable[..., Game]
TurnOf = Callable[..., Turn]
Signatures = dict[str, Callable[..., Signature]]

SMALL: dict[str, dict[str, Any]] = {"plane": {"hidden": [8]}, "pictures": {"width": 4}}
SYSTEMS = [
    ("gan", "plane"), ("gan", "pictures"), ("gan-r1", "plane"), ("conditional-gan", "pictures"), ("dcgan", "pictures"),
    ("wgan", "plane"), ("wgan", "pictures"), ("wgan-gp", "plane"), ("wgan-gp", "pictures"), ("sn-gan", "plane"),
    ("sn-gan", "pictures"), ("unrolled-gan", "plane"), ("unrolled-gan", "pictures"), ("progressive-gan", "pictures"),
]  # fmt: skip


def small(name: str, kind: str) -> dict[str, Any]:
    if name == "gan" and kind == "pictures":
        return {"network": "convolution", **SMALL[kind]}
    return {"width": 4, "latent": 8} if name == "progressive-gan" else SMALL[kind]


@pytest.mark.parametrize(("name", "kind"), SYSTEMS)
def test_the_critic_sees_detached_fakes(
    name: str, kind: str, build: Build, turn_of: TurnOf, signature_of: Signatures
) -> None:
    signature = signature_of[kind]()
    game = build(name, signature, **small(name, kind))
    game.player("critic").loss(turn_of(signature)).backward()
    assert all(parameter.grad is None for parameter in game.generator.parameters())
    assert any(parameter.grad is not None for parameter in game.player("critic").module.parameters())


@pytest.mark.parametrize(("name", "kind"), SYSTEMS)
def test_the_generator_learns_through_the_critic(
    name: str, kind: str, build: Build, turn_of: TurnOf, signature_of: Signatures
) -> None:
    signature = signature_of[kind]()
    game = build(name, signature, **small(name, kind))
    game.player("generator").loss(turn_of(signature)).backward()
    grown = [parameter for parameter in game.generator.parameters() if parameter.grad is not None]
    assert sum(float(parameter.grad.abs().sum()) for parameter in grown) > 0


@pytest.mark.parametrize(("name", "kind"), SYSTEMS)
def test_critic_and_generator_draw_codes_of_their_own(
    name: str, kind: str, build: Build, turn_of: TurnOf, signature_of: Signatures
) -> None:
    signature = signature_of[kind]()
    game, turn = build(name, signature, **small(name, kind)), turn_of(signature)
    first, second = (float(game.player("generator").loss(turn).detach()) for _ in range(2))
    assert first != second


PENALISED = [("gan-r1", {}), ("wgan-gp", {}), ("wgan-gp", {"norm": "layer"}), ("wgan-gp", {"conditioning": "concat"})]


@pytest.mark.parametrize(("name", "params"), PENALISED, ids=str)
def test_no_penalised_critic_looks_at_its_batch(
    name: str, params: dict[str, Any], build: Build, signature_of: Signatures
) -> None:
    signature = signature_of["pictures"]()
    critic = build(name, signature, network="convolution", width=4, **params).player("critic").module
    x, y = torch.randn(6, 1, 16, 16), torch.arange(6) % 3
    given = (y,) if params.get("conditioning") else ()
    alone = torch.cat([critic(x[i : i + 1], *(label[i : i + 1] for label in given)) for i in range(6)])
    torch.testing.assert_close(critic(x, *given), alone)


def test_batch_norm_stands_where_the_paper_has_it(build: Build, signature_of: Signatures) -> None:
    """In both nets of a DCGAN, but neither where samples enter the critic nor where they leave the generator."""
    game = build("dcgan", signature_of["pictures"](), width=4)
    order = [type(part) for part in game.player("critic").module.modules() if isinstance(part, _LAYERS)]
    assert order == [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d, nn.Linear]
    made = [type(part) for part in game.generator.modules() if isinstance(part, _LAYERS)]
    assert made == [nn.Linear, nn.BatchNorm2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.ConvTranspose2d]
    norms = [part for part in game.generator.modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(norm.eps == 1e-5 and norm.momentum == 0.1 for norm in norms)  # a port sets epsilon to 0.8


_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)


def test_wgan_clips_after_every_step_and_from_the_start(build: Build, signature_of: Signatures) -> None:
    game = build("wgan", signature_of["plane"](), hidden=[16], warmup=[3, 2, 4])
    module = game.player("critic").module

    def furthest() -> float:
        return max(float(parameter.detach().abs().max()) for parameter in module.parameters())

    assert furthest() <= 0.01
    heard: list[float] = []
    play(
        Match(game, "cpu"),
        points(),
        Rules(steps=6, batch=8, seed=0, report_every=1),
        lambda *_: heard.append(furthest()),
    )
    assert max(heard) <= 0.01
    assert len(heard) == 6


def test_wgan_s_critic_runs_ahead_as_in_the_authors_code(build: Build, signature_of: Signatures) -> None:
    game = build("wgan", signature_of["plane"](), hidden=[4])
    steps = [len(game.turns(step)) - 1 for step in (0, 24, 25, 499, 500, 501)]
    assert steps == [100, 100, 5, 5, 100, 5]
    plain = build("wgan", signature_of["plane"](), hidden=[4], warmup=None, k=2)
    assert plain.turns(0) == ("critic", "critic", "generator")


def test_lambda_multiplies_the_penalty(build: Build, turn_of: TurnOf, signature_of: Signatures) -> None:
    signature = signature_of["plane"]()

    def loss(weight: float) -> float:
        game = build("wgan-gp", signature, hidden=[8], **{"lambda": weight})
        return float(game.player("critic").loss(turn_of(signature)).detach())

    assert loss(20) - loss(0) == pytest.approx(2 * (loss(10) - loss(0)), rel=1e-4)
    assert loss(10) > loss(0)


def test_the_spectral_game_is_the_hinge(build: Build, turn_of: TurnOf, signature_of: Signatures) -> None:
    signature = signature_of["plane"]()
    game, turn = build("sn-gan", signature, hidden=[8]), turn_of(signature)
    critic = game.player("critic").module.eval()
    code = turn.draws.normal(8, 2)
    expected = hinge_loss(critic(turn.x), critic(game.generator(code)))
    torch.testing.assert_close(game.player("critic").loss(turn_of(signature)), expected)


IDLE: list[tuple[str, dict[str, Any], str]] = [
    ("wgan", {"betas": [0.1, 0.9]}, "`betas` belongs to adam"),
    ("gan", {"momentum": 0.9}, "`momentum` belongs to sgd"),
    ("wgan", {"momentum": 0.9}, "`momentum` belongs to sgd"),
    ("wgan-gp", {"clip": 0.1}, "clip"),
    ("gan", {"critic_steps": 2}, "critic_steps"),
]


@pytest.mark.parametrize(("name", "params", "message"), IDLE, ids=str)
def test_a_parameter_that_would_do_nothing_is_an_error(
    name: str, params: dict[str, Any], message: str, build: Build, signature_of: Signatures
) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, signature_of["plane"](), **params)


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("plane", {"width": 8}, "`width` is not used"),
        ("pictures", {"hidden": [8]}, "`hidden` is not used"),
        ("plane", {"network": "convolution"}, "sides can be halved twice"),
    ],
)
def test_what_the_players_would_not_use_is_refused(
    kind: str, params: dict[str, Any], message: str, build: Build, signature_of: Signatures
) -> None:
    with pytest.raises(StageFailed, match=message):
        build("wgan-gp", signature_of[kind](), **params)


@pytest.mark.parametrize("side", [16, 28, 32])
@pytest.mark.parametrize("name", ["dcgan", "wgan-gp", "progressive-gan"])
def test_pictures_have_the_data_s_size_and_box(name: str, side: int, build: Build, signature_of: Signatures) -> None:
    game = build(name, signature_of["pictures"](side, 3), width=4)
    made = game.sample(3, torch.Generator().manual_seed(0))
    assert made.shape == (3, 3, side, side)
    assert made.min() >= 0
    assert made.max() <= 1


def points() -> Data:
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    return Data(x=x, y=torch.arange(64) % 3, ids=torch.arange(64), classes=("a", "b", "c"))
