"""Adversarials that a file can hold, boxes with ends of their own for each channel, and parts that stay."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.levels import check_levels, on_levels
from advorch.kit.attack.region import region_mask
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Box, Norm

EPSILON = {Norm.LINF: 8 / 255, Norm.L2: 0.3, Norm.L1: 1.5, Norm.L0: 4.0}
BOX: Box = (0.0, 1.0)


def picture(seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (16, 3, 4, 4), generator=generator).to(dtype) / 255


def off_level(z: Tensor, levels: int = 255) -> float:
    return float((z.double() * levels - (z.double() * levels).round()).abs().max())


@pytest.mark.parametrize("norm", list(EPSILON))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_rounded_is_on_a_level_and_in_the_set(norm: Norm, dtype: torch.dtype) -> None:
    x = picture(dtype=dtype)
    ball = ThreatSet.around(x, norm, EPSILON[norm], box=BOX)
    z = ball.random(Draws(1, torch.arange(16)))
    rounded = on_levels(ball, z, BOX, 255)
    assert off_level(rounded) < 1e-4
    assert ball.contains(rounded).all()
    assert (rounded - z).abs().max() < 1.001 / 255
    assert torch.equal(on_levels(ball, rounded, BOX, 255), rounded)
    assert torch.equal(on_levels(ball, x, BOX, 255), x)


def test_a_corner_of_eight_levels_stays_a_corner() -> None:
    """8/255 away in float32 is a hair too far or too near: no level is lost to that."""
    x = picture()
    ball = ThreatSet.around(x, Norm.LINF, 8 / 255, box=BOX)
    corner = ball.project(x + 8 / 255 * torch.where(picture(1) > 0.5, 1, -1))
    rounded = on_levels(ball, corner, BOX, 255)
    assert torch.equal((rounded * 255).round(), (corner * 255).round())
    assert (rounded - corner).abs().max() < 1e-6
    assert ball.contains(rounded).all()


def test_rounding_goes_to_the_nearest_level_where_it_may() -> None:
    x = torch.full((1, 4), 0.5)
    z = torch.tensor([[0.52, 0.68, 0.34, 0.61]])
    ball = ThreatSet.around(x, Norm.LINF, 0.2, box=BOX)
    assert on_levels(ball, z, BOX, 10)[0].tolist() == pytest.approx([0.5, 0.7, 0.3, 0.6])
    tight = ThreatSet.around(x, Norm.LINF, 0.19, box=BOX)
    assert on_levels(tight, z, BOX, 10)[0].tolist() == pytest.approx([0.5, 0.6, 0.4, 0.6])


def test_a_ball_that_cannot_pay_for_all_pays_for_the_cheapest() -> None:
    """All four would be rounded outward by 0.04, 0.03, 0.02 and 0.01; the radius has room for 0.03 in all."""
    x, step = torch.zeros(1, 4), torch.tensor([[0.26, 0.27, 0.28, 0.29]])
    ball = ThreatSet.around(x, Norm.L1, 1.1 + 1e-6, box=BOX)
    rounded = on_levels(ball, step, BOX, 10)
    assert rounded[0].tolist() == pytest.approx([0.2, 0.3, 0.3, 0.3])


def test_between_levels_that_are_out_of_reach_the_clean_number_stays() -> None:
    x = torch.tensor([[0.55, 0.55]])
    ball = ThreatSet.around(x, Norm.LINF, 0.03, box=BOX)
    assert torch.equal(on_levels(ball, torch.tensor([[0.57, 0.53]]), BOX, 10), x)


def test_nothing_is_rounded_to_the_other_side_of_the_clean_number() -> None:
    x = torch.tensor([[0.3, 0.7]])
    ball = ThreatSet.around(x, Norm.LINF, 0.4, box=BOX)
    assert torch.equal(on_levels(ball, torch.tensor([[0.69, 0.31]]), BOX, 1), x)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(list(EPSILON)), st.integers(1, 300), st.floats(1e-3, 2.0))
def test_rounding_keeps_the_set_and_is_idempotent(seed: int, norm: Norm, levels: int, epsilon: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(4, 6, generator=generator)
    ball = ThreatSet.around(x, norm, epsilon if norm is not Norm.L0 else float(int(epsilon * 3)), box=BOX)
    rounded = on_levels(ball, ball.project(x + torch.randn(4, 6, generator=generator)), BOX, levels)
    assert ball.contains(rounded).all()
    assert torch.equal(on_levels(ball, rounded, BOX, levels), rounded)
    on_level = ((rounded * levels).round() / levels - rounded).abs() < 1e-5
    assert (on_level | (rounded == x)).all()


def test_levels_need_a_box() -> None:
    check_levels(BOX)
    with pytest.raises(StageFailed, match="box"):
        check_levels(None)


CHANNELS: Box = ((0.0, -1.0, 10.0), (1.0, 1.0, 20.0))


@pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1, Norm.UNBOUNDED])
def test_every_channel_has_its_own_ends(norm: Norm) -> None:
    low, high = (torch.tensor(end).view(3, 1, 1) for end in CHANNELS)
    x = low + (high - low) * picture()
    ball = ThreatSet.around(x, norm, 0.7, box=CHANNELS)
    z = ball.project(x + 30 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2)))
    assert ((z >= low) & (z <= high)).all()
    assert ball.contains(z).all()
    assert torch.equal(ball.project(z), z)
    if norm is Norm.UNBOUNDED:
        assert z[:, 2].max() == 20
        assert z[:, 1].min() == -1
    rounded = on_levels(ball, z, CHANNELS, 255)
    assert off_level((rounded - low) / (high - low)) < 1e-3
    assert ball.contains(rounded).all()


def test_ends_that_are_alike_are_one_box() -> None:
    x = picture()
    alike = ThreatSet.around(x, Norm.L2, 0.4, box=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    plain = ThreatSet.around(x, Norm.L2, 0.4, box=BOX)
    away = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    assert torch.equal(alike.project(away), plain.project(away))


def test_a_box_for_other_channels_is_refused() -> None:
    with pytest.raises(StageFailed, match="3 channels"):
        ThreatSet.around(torch.zeros(2, 1, 4, 4), Norm.LINF, 0.1, box=CHANNELS)


def test_only_the_region_may_change() -> None:
    x = picture()
    mask = region_mask((1, 0, 2, 3), (3, 4, 4))
    assert mask is not None
    assert mask.sum() == 3 * 2 * 3
    ball = ThreatSet.around(x, Norm.LINF, 0.1, box=BOX, mask=mask)
    z = ball.random(Draws(1, torch.arange(16)))
    changed = (z != x).any(0)
    assert torch.equal(changed, mask[0])
    assert torch.equal(on_levels(ball, z, BOX, 255)[:, ~mask[0]], x[:, ~mask[0]])
    assert region_mask(None, (3, 4, 4)) is None


@pytest.mark.parametrize(("region", "shape"), [((0, 0, 5, 1), (1, 4, 4)), ((0, 3, 1, 2), (4, 4)), ((0, 0, 1, 1), (9,))])
def test_a_region_lies_in_the_picture(region: tuple[int, int, int, int], shape: tuple[int, ...]) -> None:
    with pytest.raises(StageFailed, match="does not lie in"):
        region_mask(region, shape)
