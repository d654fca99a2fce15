import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.inner import InnerAttack
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.victim import Victim
from advorch.kit.attack.warp import Warp
from advorch.testing.fakes import small_conv
from advorch.threat import Access, Norm
from advorch_builtins.attacks.catalog_geometric import (
    ROTATION_GRADIENT,
    ROTATION_GRID,
    ROTATION_RANDOM,
    RotationGridParams,
)
from advorch_builtins.attacks.rotation_grid import poses

ALL = pytest.mark.parametrize(
    "attack", [ROTATION_GRID, ROTATION_RANDOM, ROTATION_GRADIENT], ids=["grid", "random", "gradient"]
)
SMALL = {"rotation-grid": {"angles": 5, "places": 3}, "rotation-random": {"draws": 10}, "rotation-gradient": {}}


def images(count: int = 6, channels: int = 2, height: int = 8, width: int = 8) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def pose(*numbers: float, count: int = 6) -> Tensor:
    return torch.tensor([numbers], dtype=torch.float64).expand(count, 3)


def warp_of(degrees: float = 30.0, shift: float = 0.1, **options: Any) -> Warp:
    return Warp(degrees=degrees, shift=shift, **options)


def run(attack: Any, module: nn.Module, x: Tensor, y: Tensor, **options: Any) -> AttackResult:
    params = attack.params(**(SMALL[attack.name] | options.pop("params", {})))
    ids = options.pop("ids", torch.arange(len(x)))
    known = {"box": (0.0, 1.0), "norm": Norm.UNBOUNDED, "epsilon": 0.0, "access": attack.threat.access}
    return run_attack(attack.load(), Victim(module, **(known | options)), x, y, params, Draws(3, ids))


@pytest.fixture(scope="module")
def conv() -> nn.Module:
    return small_conv(2, 8, 3).double().eval()


@pytest.fixture(scope="module")
def labelled(conv: nn.Module) -> tuple[Tensor, Tensor]:
    x = images(40)
    with torch.no_grad():
        return x, conv(x).argmax(1)


@pytest.mark.parametrize("padding", ["black", "reflect"])
def test_nothing_turned_is_nothing_changed(padding: Any) -> None:
    x = images(height=7)
    assert torch.equal(warp_of(padding=padding)(x, pose(0, 0, 0)), x)


def test_a_quarter_turn_is_counterclockwise() -> None:
    x = images()
    assert torch.allclose(warp_of(degrees=90)(x, pose(1, 0, 0)), x.rot90(1, (2, 3)))
    assert torch.allclose(warp_of(degrees=180)(x, pose(-1, 0, 0)), x.rot90(2, (2, 3)))


def test_shifts_go_right_and_down_and_something_comes_in() -> None:
    x = images()
    black = warp_of(shift=0.25, black=0.125)
    right = black(x, pose(0, 1, 0))
    assert torch.equal(right[..., 2:], x[..., :-2])
    assert right[..., :2].eq(0.125).all()
    down = black(x, pose(0, 0, 0.5))
    assert torch.equal(down[:, :, 1:], x[:, :, :-1])
    assert down[:, :, 0].eq(0.125).all()
    mirrored = warp_of(shift=0.25, padding="reflect")(x, pose(0, 1, 0))
    assert torch.equal(mirrored[..., :2], x[..., :2].flip(-1))


@pytest.mark.parametrize(("padding", "mode"), [("black", "zeros"), ("reflect", "reflection")])
@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (5, 3)])
def test_it_agrees_with_torchs_sampler(padding: Any, mode: str, shape: tuple[int, int]) -> None:
    """Bilinear; rotation about the middle in pixels, first turned, then shifted."""
    height, width = shape
    x = images(height=height, width=width)
    poses = torch.rand(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
    angle = poses[:, 0] * math.radians(50)
    sine, cosine, aspect = angle.sin(), angle.cos(), height / width
    # the inverse map in torch's coordinates, which go from -1 to 1 along each side
    right, down = poses[:, 1] * 0.3 * 2, poses[:, 2] * 0.3 * 2
    matrix = torch.stack(
        [
            torch.stack([cosine, -sine * aspect, -cosine * right + sine * aspect * down], 1),
            torch.stack([sine / aspect, cosine, -sine / aspect * right - cosine * down], 1),
        ],
        1,
    )
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    expected = functional.grid_sample(x, grid, padding_mode=mode, align_corners=False)
    assert torch.allclose(warp_of(degrees=50, shift=0.3, padding=padding)(x, poses), expected, atol=1e-12)


@pytest.mark.parametrize("padding", ["black", "reflect"])
def test_the_gradient_is_exact(padding: Any) -> None:
    x = images(2, 1, 5, 6)
    start = torch.tensor([[0.31, -0.42, 0.77], [-0.6, 0.13, 0.2]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: warp_of(shift=0.2, padding=padding)(x, p), (start,))


def test_a_black_canvas_loses_nothing() -> None:
    """Where the margin is as wide as the largest shift and the corners' reach, only bilinear weights are spread."""
    canvas = torch.zeros(4, 1, 24, 24, dtype=torch.float64)
    canvas[..., 8:16, 8:16] = images(4, 1)
    drawn = torch.rand(4, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 2 - 1
    moved = warp_of(shift=0.08)(canvas, drawn)
    assert torch.allclose(moved.sum((1, 2, 3)), canvas.sum((1, 2, 3)), rtol=0.02)
    shifted = warp_of(shift=0.08)(canvas, drawn * torch.tensor([0.0, 1.0, 1.0]))
    assert torch.allclose(shifted.sum((1, 2, 3)), canvas.sum((1, 2, 3)))
    cut = warp_of(shift=0.3)(images(4, 1), drawn * torch.tensor([0.0, 1.0, 1.0]))
    assert (cut.sum((1, 2, 3)) < images(4, 1).sum((1, 2, 3)) * 0.98).all()


def test_the_grid_has_every_corner_and_the_picture_itself() -> None:
    grid = poses(RotationGridParams())
    assert len(grid) == len(set(grid)) == 31 * 5 * 5
    assert {(float(a), float(b), float(c)) for a, b, c in itertools.product((-1, 1), repeat=3)} == set(grid[:8])
    assert grid[-1] == (0.0, 0.0, 0.0)
    assert poses(RotationGridParams(angles=1, places=1)) == [(0.0, 0.0, 0.0)]


def test_every_sample_has_its_own_worst_pose(conv: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    """Against a search through all poses, sample by sample; a public library picks one pose for the whole data set."""
    x, y = labelled
    params = RotationGridParams(angles=5, places=3)
    result = run(ROTATION_GRID, conv, x, y, params={"degrees": 5.0, "shift": 0.05})
    warp, worst, found = warp_of(degrees=5.0, shift=0.05), [], torch.zeros(40, dtype=torch.bool)
    with torch.no_grad():
        for numbers in poses(params):
            logits = conv(warp(x, pose(*numbers, count=40)))
            found |= logits.argmax(1) != y
            worst.append(logits.scatter(1, y[:, None], -torch.inf).amax(1) - logits.gather(1, y[:, None]).squeeze(1))
        logits = conv(result.adversarial)
    reached = logits.scatter(1, y[:, None], -torch.inf).amax(1) - logits.gather(1, y[:, None]).squeeze(1)
    margins = torch.stack(worst)
    assert torch.equal(result.success, found)
    assert 3 < found.sum() < 37
    assert torch.allclose(reached[~found], margins.amax(0)[~found])
    assert len(margins.argmax(0).unique()) > 3
    assert result.queries[~found].eq(45).all()
    assert result.backwards.sum() == 0


def test_worst_of_k_grows_with_k_and_each_sample_draws_its_own(
    conv: nn.Module, labelled: tuple[Tensor, Tensor]
) -> None:
    x, y = labelled
    found = [run(ROTATION_RANDOM, conv, x, y, params={"draws": draws}).success for draws in (1, 10, 60)]
    assert (found[0] <= found[1]).all()
    assert (found[1] <= found[2]).all()
    assert found[0].sum() < found[2].sum()
    twins = x[:1].expand(4, -1, -1, -1).clone()
    result = run(ROTATION_RANDOM, conv, twins, y[:1].expand(4).clone(), params={"draws": 1})
    assert len({float(z.sum()) for z in result.adversarial}) == 4


class Brightness(nn.Module):
    """Two classes by how much of a bright left edge is still in the middle columns: smooth in the shift."""

    def forward(self, x: Tensor) -> Tensor:
        height = (x * torch.linspace(0, 1, x.shape[-1], dtype=x.dtype)).mean((1, 2, 3))
        return torch.stack([-100 * height, torch.full_like(height, -18.0)], 1)


def test_the_gradient_leads_up_a_smooth_hill() -> None:
    """The hill rises with every pixel that the picture goes right: the end is the largest shift allowed."""
    x = torch.zeros(5, 1, 16, 16, dtype=torch.float64)
    x[..., 4:8] = 1.0
    y = torch.zeros(5, dtype=torch.int64)
    result = run(
        ROTATION_GRADIENT, Brightness(), x, y, params={"degrees": 0.0, "shift": 0.25, "steps": 30, "alpha": 0.1}
    )
    columns = result.adversarial.mean((1, 2))
    assert not result.success.any()
    middle = (columns * torch.arange(16)).sum(1) / columns.sum(1)
    assert torch.allclose(middle, torch.full_like(middle, 5.5 + 4))
    assert result.backwards.eq(30).all()


def test_first_order_loses_to_the_grid(conv: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    """The paper's claim, here on a small net: three numbers are searched, not climbed."""
    x, y = labelled
    grid = run(ROTATION_GRID, conv, x, y, params={"angles": 31, "places": 5})
    climbed = run(ROTATION_GRADIENT, conv, x, y, params={"steps": 20})
    assert climbed.success.sum() > 0
    assert climbed.success.sum() < grid.success.sum()
    again = run(ROTATION_GRADIENT, conv, x, y, params={"steps": 20, "restarts": 4})
    assert (again.success | ~climbed.success).all()


@ALL
def test_what_comes_back_is_a_pose_within_the_limits(
    attack: Any, conv: nn.Module, labelled: tuple[Tensor, Tensor]
) -> None:
    """Of a picture with one bright pixel the middle of mass tells how far it went."""
    x = torch.zeros(20, 2, 17, 17, dtype=torch.float64)
    x[:, :, 8, 8] = 1.0
    module = small_conv(2, 17, 3).double().eval()
    with torch.no_grad():
        y = module(x).argmax(1)
    z = run(attack, module, x, y, params={"degrees": 0.0, "shift": 2 / 17}).adversarial
    places = torch.arange(17, dtype=torch.float64)
    mass = z.sum((1, 2, 3))
    assert torch.allclose(mass, torch.full_like(mass, 2.0), atol=1e-9)
    for axis in (2, 3):
        middle = (z.sum((1, 5 - axis)) * places).sum(1) / mass
        assert ((middle - 8).abs() <= 2 + 1e-9).all()


@ALL
def test_alone_and_together_are_the_same(attack: Any, conv: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    x, y = labelled
    together = run(attack, conv, x, y)
    for row in (0, 17):
        one = slice(row, row + 1)
        alone = run(attack, conv, x[one], y[one], ids=torch.tensor([row]))
        assert torch.allclose(alone.adversarial, together.adversarial[one], atol=1e-9)
        assert int(alone.queries) == int(together.queries[row])


@ALL
@pytest.mark.parametrize("padding", ["black", "reflect"])
def test_they_stay_in_any_box_and_black_is_its_lowest_value(attack: Any, padding: str) -> None:
    x = images(8).float() * 2 - 1
    module = small_conv(2, 8, 3).eval()
    with torch.no_grad():
        y = module(x).argmax(1)
    result = run(attack, module, x, y, box=(-1.0, 1.0), params={"padding": padding})
    assert result.adversarial.min() >= -1
    assert result.adversarial.max() <= 1
    assert (result.adversarial != x).flatten(1).any(1).all()
    assert bool(result.adversarial.eq(-1).any()) == (padding == "black")


@ALL
def test_vectors_cannot_be_turned(attack: Any) -> None:
    module = nn.Linear(6, 3)
    x = torch.rand(3, 6)
    with pytest.raises(StageFailed, match="images"):
        run(attack, module, x, module(x).argmax(1))


@ALL
def test_targets_and_training(attack: Any, conv: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    x, y = labelled
    result = run(attack, conv, x, y, targeted=True)
    assert torch.equal(result.success, result.adversarial_prediction.eq(result.target))
    params = attack.nested_schema().parse({"epsilon": 0.0, "norm": "unbounded", **SMALL[attack.name]})
    z = InnerAttack(attack, params, box=(0.0, 1.0))(conv, x, y, torch.arange(40), 5)
    before, after = (functional.cross_entropy(conv(points), y) for points in (x, z))
    assert after > before


def test_access() -> None:
    assert ROTATION_GRID.threat.access is ROTATION_RANDOM.threat.access is Access.SCORES
    assert not ROTATION_GRID.threat.stochastic
