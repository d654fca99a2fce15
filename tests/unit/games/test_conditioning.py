"""Three ways of telling players the class, and that fakes carry the labels of the data."""

from collections.abc import Callable

import pytest
import torch

from advorch.artifacts import Signature
from advorch.errors import StageFailed
from advorch.kit.adversary.game import Game, Turn
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.data import Data
from advorch.kit.evaluation.mixtures import mixture_of, nearest

Build = Callable[..., Game]
TurnOf = Callable[..., Turn]
Signatures = dict[str, Callable[..., Signature]]
WAYS = ("concat", "projection", "auxiliary")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["conditional-gan", "dcgan", "wgan-gp", "sn-gan"])
def test_every_class_can_be_asked_for(name: str, way: str, build: Build, signature_of: Signatures) -> None:
    game = build(name, signature_of["pictures"](), width=4, conditioning=way)
    assert game.latent is not None
    assert game.latent.classes == 3
    code = torch.randn(1, game.latent.size).expand(3, -1)
    game.generator.eval()
    made = game.latent.decode(code, torch.arange(3))
    assert made.shape == (3, 1, 16, 16)
    assert not torch.equal(made[0], made[1])


@pytest.mark.parametrize("way", ["concat", "projection"])
def test_the_critic_s_score_depends_on_the_label(way: str, build: Build, signature_of: Signatures) -> None:
    critic = build("sn-gan", signature_of["plane"](), hidden=[8], conditioning=way).player("critic").module.eval()
    x = torch.randn(1, 2).expand(3, 2)
    assert len(set(critic(x, torch.arange(3)).tolist())) == 3


def test_a_projection_is_the_product_of_label_and_features(build: Build, signature_of: Signatures) -> None:
    critic = build("gan", signature_of["plane"](), hidden=[8], conditioning="projection").player("critic").module
    x, y = torch.randn(4, 2), torch.tensor([0, 1, 2, 1])
    features = critic.trunk(x)
    expected = critic.score(features).flatten() + torch.einsum("ij,ij->i", critic.embedding.weight[y], features)
    torch.testing.assert_close(critic(x, y), expected)


def test_the_auxiliary_head_learns_from_both_and_teaches_both(
    build: Build, turn_of: TurnOf, signature_of: Signatures
) -> None:
    signature = signature_of["plane"]()
    game = build("gan", signature, hidden=[8], conditioning="auxiliary")
    critic = game.player("critic").module
    for name in ("critic", "generator"):
        critic.zero_grad()
        game.player(name).loss(turn_of(signature)).backward()
        assert critic.naming.weight.grad.abs().sum() > 0


def test_fakes_carry_the_labels_of_the_minibatch(build: Build, turn_of: TurnOf, signature_of: Signatures) -> None:
    """Drawn by another law than the data's, labels alone would tell fakes from real samples."""
    signature = signature_of["plane"]()
    game = build("gan", signature, hidden=[8], conditioning="concat")
    seen: list[list[int]] = []
    for player in game.players:
        player.module.register_forward_pre_hook(lambda module, given: seen.append(given[1].tolist()))
    turn = turn_of(signature)
    game.player("critic").loss(turn)
    game.player("generator").loss(turn)
    assert len(seen) == 5  # fakes for the critic, two looks of it; fakes for the generator, one look
    assert all(labels == turn.y.tolist() for labels in seen)


def test_data_of_one_class_cannot_be_told_apart(build: Build) -> None:
    with pytest.raises(StageFailed, match="two classes or more"):
        build("gan", Signature(shape=(2,), classes=("all",)), conditioning="concat")


@pytest.mark.parametrize("way", WAYS)
def test_a_short_game_puts_samples_where_their_class_is(way: str, build: Build) -> None:
    rng = torch.Generator().manual_seed(0)
    y = torch.randint(3, (600,), generator=rng)
    x = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])[y] + 0.2 * torch.randn(600, 2, generator=rng)
    data = Data(x=x, y=y, ids=torch.arange(600), classes=("a", "b", "c"))
    game = build("gan-r1", data.signature, hidden=[64, 64], conditioning=way, latent=4, **{"lambda": 0.3})
    match = Match(game, "cpu")
    play(match, data, Rules(steps=300, batch=64, seed=0), lambda *_: None)
    asked = torch.arange(300) % 3
    found, _ = nearest(match.sample_of(asked, seed=1), mixture_of(data))
    assert float((found == asked).double().mean()) >= 0.9
