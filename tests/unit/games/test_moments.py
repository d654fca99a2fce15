from collections.abc import Callable
from pathlib import Path

import torch

from advorch.kit.adversary.game import Game
from advorch.kit.adversary.loop import Rules, play
from advorch.kit.adversary.match import Match
from advorch.kit.adversary.moments import Album, read_moments
from advorch.kit.data import Data

Build = Callable[..., Game]


def points() -> Data:
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    return Data(x=x, y=torch.zeros(64).long(), ids=torch.arange(64), classes=("a",))


def watched(match: Match, album: Album, until: int = 40) -> None:
    def report(step: int, losses: object, keep: bool) -> None:
        if step <= until:
            album.look(match, 40)

    play(match, points(), Rules(steps=40, batch=8, seed=0, report_every=1), report)


def test_moments_are_spread_over_the_game_and_show_the_same_codes(build: Build, tmp_path: Path) -> None:
    match, album = Match(build("gan", points().signature, hidden=[8]), "cpu"), Album(4, 6, seed=9)
    watched(match, album)
    album.save(tmp_path)
    found = read_moments(tmp_path)
    assert found is not None
    assert found.steps == (10, 20, 30, 40)
    assert found.x.shape == (4, 6, 2)
    assert torch.equal(found.x[-1], match.sample(6, seed=9))


def test_looking_does_not_change_the_game(build: Build, tmp_path: Path) -> None:
    seen, unseen = (Match(build("gan", points().signature, hidden=[8]), "cpu") for _ in range(2))
    watched(seen, Album(10, 6, seed=9))
    watched(unseen, Album(0, 6, seed=9))
    assert all(torch.equal(*both) for both in zip(seen.tensors(), unseen.tensors(), strict=True))


def test_an_album_goes_on_where_it_was_left(build: Build, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    match, whole, half = Match(build("gan", points().signature, hidden=[8]), "cpu"), Album(4, 6, 9), Album(4, 6, 9)
    watched(match, whole)
    watched(Match(build("gan", points().signature, hidden=[8]), "cpu"), half, until=20)
    half.save(tmp_path / "a")
    again = Album(4, 6, 9)
    again.load(tmp_path / "a")
    again.look(match, 40)  # the game's last step: one moment more, and none twice
    again.save(tmp_path / "b")
    found = read_moments(tmp_path / "b")
    assert found is not None
    assert found.steps == (10, 20, 40)


def test_none_asked_for_none_kept(tmp_path: Path) -> None:
    Album(0, 6, 9).save(tmp_path)
    assert read_moments(tmp_path) is None
