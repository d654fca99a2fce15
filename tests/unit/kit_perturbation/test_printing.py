import pytest
import torch

from advorch.kit.attack.draws import Draws
from advorch.kit.perturbation.colour import apart, lab
from advorch.kit.perturbation.light import lit
from advorch.kit.perturbation.pasting import paste, placed
from advorch.kit.perturbation.placing import Placing
from advorch.kit.perturbation.printable import PALETTE, nearest_printable, non_printability, palette_of

WHOLE = torch.ones(1, 2, 2)


def test_colours_of_the_palette_cost_nothing_and_others_do() -> None:
    palette = palette_of((), 3, WHOLE)
    assert palette.shape == (len(PALETTE), 3)
    printable = palette[[0, 5, 17, 63]].T.reshape(3, 2, 2)
    assert float(non_printability(printable, palette, WHOLE)) == 0
    assert float(non_printability((printable + 0.1).clamp(0, 1), palette, WHOLE)) > 0.01


def test_the_score_is_the_geometric_mean_of_the_distances() -> None:
    palette = palette_of(((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), 3, WHOLE)
    grey = torch.full((3, 2, 2), 0.25)
    assert float(non_printability(grey, palette, WHOLE)) == pytest.approx((0.25 * 0.75) ** 0.5)


def test_only_what_the_mask_shows_is_scored() -> None:
    palette = palette_of((), 3, WHOLE)
    picture = palette[0].reshape(3, 1, 1).expand(3, 2, 2).clone()
    picture[:, 1] = 0.97
    top = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    assert float(non_printability(picture, palette, top)) == 0
    assert float(non_printability(picture, palette, 1 - top)) > 0


def test_the_nearest_printable_picture_is_printable_and_near() -> None:
    palette = palette_of((), 3, WHOLE)
    picture = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0))
    printed = nearest_printable(picture, palette)
    assert float(non_printability(printed, palette, torch.ones(1, 5, 5))) == 0
    assert float((printed - picture).abs().max()) <= 0.15 + 1e-6  # half of the palette's steps, and its ends
    assert torch.equal(nearest_printable(printed, palette), printed)


def test_a_palette_of_greys_for_one_channel() -> None:
    palette = palette_of(((0.0, 0.0, 0.0), (0.2, 0.4, 0.6)), 1, WHOLE)
    assert palette.tolist() == [[0.0], [pytest.approx(0.4)]]


def test_the_score_has_a_gradient_that_is_finite_everywhere() -> None:
    palette = palette_of((), 3, WHOLE)
    picture = palette[0].reshape(3, 1, 1).expand(3, 2, 2).clone().requires_grad_()
    non_printability(picture, palette, WHOLE).backward()
    assert picture.grad is not None
    assert bool(torch.isfinite(picture.grad).all())
    away = (picture.detach() + 0.07).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: non_printability(values, palette.double(), WHOLE), (away,))


def test_plain_light_changes_nothing() -> None:
    picture = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1)).clamp(min=1e-3)
    zero, one = torch.zeros(2), torch.ones(2)
    assert torch.allclose(lit(picture, zero, one, one), picture, atol=1e-6)


def test_light_by_hand() -> None:
    """Of each picture its own: (0.25^2 - 0.5) 0.5 + 0.5 + 0.1, and too bright is white."""
    picture = torch.full((2, 1, 1, 1), 0.25)
    seen = lit(picture, torch.tensor([0.1, 0.9]), torch.tensor([0.5, 1.0]), torch.tensor([2.0, 1.0]))
    assert seen.flatten().tolist() == pytest.approx([0.38125, 1.0])


@pytest.mark.parametrize("gamma", [0.8, 1.0, 1.25])
def test_black_stays_black_and_has_a_slope(gamma: float) -> None:
    """Without one nothing that is fitted could ever leave it, and digits are mostly black."""
    black = torch.zeros(1, 1, 2, 2, requires_grad=True)
    seen = lit(black, torch.zeros(1), torch.ones(1), torch.tensor([gamma]))
    assert torch.equal(seen, torch.zeros_like(seen))
    (slope,) = torch.autograd.grad(seen.sum(), black)
    assert bool((slope > 0.01).all())
    assert bool((slope < 100).all())


def test_known_colours_in_lab() -> None:
    """White, black, and red of sRGB, as Lindbloom's calculator has them."""
    colours = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]).view(3, 3, 1, 1)
    assert torch.allclose(
        lab(colours).flatten(1), torch.tensor([[100.0, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]), atol=0.05
    )
    assert float(apart(colours[:1], colours[1:2], "lab")) == pytest.approx(1.0, abs=1e-4)
    assert float(apart(colours[:1], colours[1:2], "rgb")) == pytest.approx(3.0)


def test_lab_has_its_gradient() -> None:
    picture = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lab, (picture,))
    black = torch.zeros(1, 3, 1, 1, requires_grad=True)
    lab(black).sum().backward()
    assert black.grad is not None
    assert bool(torch.isfinite(black.grad).all())


def test_patches_lie_wholly_inside_and_cover_their_share() -> None:
    placing = Placing(outline="disc", scale=(0.4, 0.4))
    maps = placed(placing, Draws(0, torch.arange(50)), torch.zeros(50))
    assert float((maps[:, :2, 2].abs() + 0.4).max()) <= 1 + 1e-6
    black, white = torch.zeros(50, 1, 20, 20), torch.ones(1, 1, 10, 10)
    covered = paste(black, white, white, maps).mean((1, 2, 3))
    assert torch.allclose(covered, torch.full((50,), 0.16), atol=0.02)


def test_a_square_patch_may_touch_the_edge_but_not_cross_it() -> None:
    maps = placed(
        Placing(outline="square", scale=(0.5, 0.6), degrees=180), Draws(1, torch.arange(300)), torch.zeros(300)
    )
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]) @ maps.transpose(1, 2)
    assert float(corners[..., :2].abs().max()) <= 1 + 1e-5


def test_what_a_patch_does_not_cover_stays_as_it_was() -> None:
    images = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    patch = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(4))
    maps = placed(Placing(scale=(0.3, 0.3)), Draws(2, torch.arange(4)), images)
    pasted = paste(images, patch, torch.ones(1, 1, 12, 12), maps)
    same = (pasted == images).all(1).double().mean((1, 2))
    assert bool((same > 0.8).all())
    assert bool((same < 1).all())
