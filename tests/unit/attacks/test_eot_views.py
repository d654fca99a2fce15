"""Expectation over any random transformation: those that are named, and those of the user."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.warp import Warp
from advorch.testing.fakes import small_conv
from advorch.threat import Norm
from advorch_builtins.attacks.catalog_fixed import EOT_PGD
from advorch_builtins.attacks.poses import drawn_pose

OWN = """
def shaken(z, rng):
    return z + 0.2 * rng.normal(z.shape[1:], like=z)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's, importable."""
    (tmp_path / "views_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "views_of_mine", raising=False)
    return tmp_path / "views_of_mine.py"


def attack(module: nn.Module, x: Tensor, y: Tensor, **params: Any) -> Tensor:
    victim = Victim(module, box=(0.0, 1.0), norm=Norm.LINF, epsilon=0.1)
    rng = Draws(4, torch.arange(len(x)))
    return run_attack(EOT_PGD.load(), victim, x, y, EOT_PGD.params.parse(params), rng).adversarial


def test_a_view_of_ones_own_does_what_the_same_view_does_by_name(
    own: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    common = {"steps": 4, "draws": 3}
    by_path = attack(trained, *held_out, view="views_of_mine:shaken", **common)
    by_name = attack(trained, *held_out, view="noise", sigma=0.2, **common)
    assert torch.equal(by_path, by_name)
    assert not torch.equal(by_path, attack(trained, *held_out, **common))


def test_its_code_is_part_of_what_decides_the_result(own: Path) -> None:
    assert list(EOT_PGD.files(EOT_PGD.params.parse({"view": "views_of_mine:shaken"}))) == [own]
    assert not EOT_PGD.files(EOT_PGD.params.parse({"view": "pose"}))


@pytest.mark.parametrize("view", ["views_of_mine:missing", "nowhere_at_all:shaken"])
def test_a_view_that_is_not_there_is_one_clear_line(
    own: Path, trained: nn.Module, held_out: tuple[Tensor, Tensor], view: str
) -> None:
    with pytest.raises(StageFailed, match=f"cannot find '{view}'"):
        attack(trained, *held_out, view=view)


def test_words_that_are_neither_are_refused() -> None:
    with pytest.raises(ValueError, match="view"):
        EOT_PGD.params.parse({"view": "poses"})


def test_poses_are_averaged_over(trained: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """Under poses that the attack never saw, what was made over poses has the higher loss."""
    module = small_conv(1, 8, 3).eval()
    x = torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    y = module(x).argmax(1)
    z = {view: attack(module, x, y, view=view, steps=10, draws=12, degrees=60.0) for view in ("none", "pose")}
    warp, loss = Warp(degrees=60.0, shift=0.1), dict.fromkeys(z, 0.0)
    for seed in range(40):
        pose = drawn_pose(Draws(99 + seed, torch.arange(24)), x)
        with torch.no_grad():
            for view, points in z.items():
                loss[view] += float(nn.functional.cross_entropy(module(warp(points, pose)), y))
    assert loss["pose"] > loss["none"]
    with pytest.raises(StageFailed, match="images"):
        attack(trained, *held_out, view="pose")
