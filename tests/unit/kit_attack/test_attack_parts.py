"""Losses, filters and views that several attacks share."""

import pytest
import torch
from torch.nn import functional

from advorch.kit.attack.dlr import difference, dlr, rivals, targeted_dlr
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.filters import blur, over_l1, over_l2, over_largest
from advorch.kit.attack.objectives import margin
from advorch.kit.attack.resizing import resized_and_padded


@pytest.fixture
def scores() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, 6, (50,), generator=generator)


def test_ratio_by_its_definition(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = scores
    for row, label, value in zip(logits, y, dlr(logits, y), strict=True):
        ordered = sorted(row.tolist(), reverse=True)
        others = [number for place, number in enumerate(row.tolist()) if place != int(label)]
        expected = -(float(row[label]) - max(others)) / (ordered[0] - ordered[2])
        assert float(value) == pytest.approx(expected, rel=1e-9)


def test_targeted_ratio_by_its_definition(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = scores
    target = (y + 2) % 6
    for row, label, goal, value in zip(logits, y, target, targeted_dlr(logits, y, target), strict=True):
        ordered = sorted(row.tolist(), reverse=True)
        expected = -float(row[label] - row[goal]) / (ordered[0] - (ordered[2] + ordered[3]) / 2)
        assert float(value) == pytest.approx(expected, rel=1e-9)


def test_ratios_see_neither_scale_nor_shift(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = scores
    for changed in (logits * 50, logits * 1e-3, logits + 7):
        assert torch.allclose(dlr(changed, y), dlr(logits, y), rtol=1e-6)
        assert torch.allclose(targeted_dlr(changed, y, 5 - y), targeted_dlr(logits, y, 5 - y), rtol=1e-6)


def test_too_few_classes_for_a_ratio(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = scores
    assert torch.equal(dlr(logits[:, :2], y % 2), margin(logits[:, :2], y % 2))
    three = logits[:, :3]
    assert torch.equal(targeted_dlr(three, y % 3, (y + 1) % 3), difference(three, y % 3, (y + 1) % 3))


def test_difference_is_that_of_two_cross_entropies(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = scores
    target = (y + 1) % 6
    losses = [functional.cross_entropy(logits, label, reduction="none") for label in (y, target)]
    assert torch.allclose(difference(logits, y, target), losses[0] - losses[1])


def test_rivals_are_in_order_and_without_the_label(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = scores
    found = rivals(logits, y)
    assert found.shape == (50, 5)
    assert (found != y[:, None]).all()
    assert (logits.gather(1, found).diff(dim=1) <= 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lengths_of_one_whatever_the_size(dtype: torch.dtype) -> None:
    base = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    for scale in (1.0, 1e-35, 1e30):
        gradient = base * scale
        for normalise, order in ((over_l1, 1), (over_l2, 2), (over_largest, torch.inf)):
            length = torch.linalg.vector_norm(normalise(gradient).flatten(1).double(), order, dim=1)
            assert torch.allclose(length, torch.ones(4, dtype=torch.float64), rtol=1e-6)
    for normalise in (over_l1, over_l2, over_largest):
        assert not normalise(torch.zeros_like(base)).any()


def test_blur_keeps_size_and_mean() -> None:
    constant = torch.full((2, 3, 12, 9), 0.7)
    soft = blur(constant, 2)
    assert soft.shape == constant.shape
    assert torch.allclose(soft[:, :, 2:-2, 2:-2], torch.tensor(0.7))
    point = torch.zeros(1, 2, 9, 9)
    point[0, 1, 4, 4] = 1
    spread = blur(point, 3)
    assert not spread[0, 0].any()
    assert float(spread.sum()) == pytest.approx(1)
    assert torch.allclose(spread, spread.flip(2).transpose(2, 3), atol=1e-7)


def test_views_are_interpolated_and_padded() -> None:
    """Each image must be what torch's own interpolation and padding give at some size and place."""
    images = torch.rand(30, 2, 12, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    shown = resized_and_padded(images, 0.5, 1.0, Draws(1, torch.arange(30)))
    assert shown.shape == images.shape
    sizes = set()
    for image, view in zip(images, shown, strict=True):
        rows, columns = (view != 0).any(0).any(1).nonzero(), (view != 0).any(0).any(0).nonzero()
        top, left = int(rows.min()), int(columns.min())
        height, width = len(rows), len(columns)
        small = functional.interpolate(image[None], (height, width), mode="bilinear", align_corners=False)
        padded = functional.pad(small, (left, 9 - left - width, top, 12 - top - height))
        assert torch.allclose(padded[0], view)
        sizes.add((height, top))
    assert len(sizes) > 10
    assert min(height for height, _ in sizes) == 6


def test_views_carry_gradients_and_leave_some_alone() -> None:
    images = torch.rand(200, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    shown = resized_and_padded(images, 0.5, 0.3, Draws(1, torch.arange(200)))
    same = (shown == images).flatten(1).all(1)
    assert 120 < int(same.sum()) < 170
    (gradient,) = torch.autograd.grad(shown.sum(), images)
    assert torch.equal(gradient[same], torch.ones_like(gradient[same]))
    alone = resized_and_padded(images[7:8], 0.5, 0.3, Draws(1, torch.tensor([7])))
    assert torch.allclose(alone[0], shown[7])
