import math

import pytest
import torch
from torch import Tensor

from advorch.kit.perturbation.homography import move, of_plane, similarity, warp
from advorch.kit.perturbation.poses import frontal
from advorch.kit.perturbation.sampling import blurred, by_gathering, frame_points, gathered, sample

SQUARE = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]], dtype=torch.float64)


def picture(side: int = 6, channels: int = 2) -> Tensor:
    return torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_identity_changes_nothing() -> None:
    image, same = picture(), torch.eye(3, dtype=torch.float64)[None]
    seen, inside = warp(image, same, 6, 6, finer=1)
    assert torch.allclose(seen, image, atol=1e-12)
    assert torch.equal(inside, torch.ones_like(inside))


def test_a_quarter_turn_is_that_of_the_pixels() -> None:
    image = picture()
    quarter = similarity(
        *(torch.tensor([value], dtype=torch.float64) for value in (1.0, math.pi / 2)), torch.zeros(1, 2)
    )
    seen, _ = warp(image, quarter.double(), 6, 6, finer=1)
    assert torch.allclose(seen, torch.rot90(image, 1, (2, 3)), atol=1e-9)


def test_a_smaller_picture_covers_its_share_of_the_frame() -> None:
    half = similarity(*(torch.tensor([value], dtype=torch.float64) for value in (0.5, 0.0)), torch.zeros(1, 2).double())
    _, inside = warp(picture(), half, 8, 8)
    assert float(inside.mean()) == pytest.approx(0.25)
    assert torch.equal(inside[0, 0, 2:6, 2:6], torch.ones(4, 4, dtype=torch.float64))


def test_a_plane_seen_from_ahead_is_itself_and_turned_it_narrows_by_the_cosine() -> None:
    from dataclasses import replace

    like = torch.zeros(1, dtype=torch.float64)
    ahead = frontal(1, like)
    far = replace(ahead, distance=like + 1e6)  # from so far away perspective is none
    for degrees in (0, 30, 60):
        pose = replace(far, yaw=like + math.radians(degrees))
        seen = move(of_plane(pose.rotation(), pose.distance, pose.zoom), SQUARE)
        wanted = SQUARE * torch.tensor([math.cos(math.radians(degrees)), 1.0], dtype=torch.float64)
        assert torch.allclose(seen, wanted, atol=1e-5)


def test_perspective_makes_the_nearer_edge_longer() -> None:
    """At 60 degrees, from two sides away: heights of the edges by hand, 1 / (4 -+ sin 60)."""
    from dataclasses import replace

    like = torch.zeros(1, dtype=torch.float64)
    pose = replace(frontal(1, like), yaw=like + math.radians(60), distance=like + 4.0)
    seen = move(of_plane(pose.rotation(), pose.distance, pose.zoom), SQUARE)[0]
    heights = {round(float(seen[3 - place, 1] - seen[place, 1]), 9) for place in (0, 1)}
    sine = math.sin(math.radians(60))
    assert heights == {round(2 * 4 / (4 + sine), 9), round(2 * 4 / (4 - sine), 9)}


@pytest.mark.parametrize("beyond", ["edge", "around"])
def test_both_ways_to_sample_agree(beyond: str) -> None:
    points = torch.rand(1, 200, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 4 - 2
    image = picture()
    assert torch.allclose(sample(image, points, beyond), by_gathering(image, points, beyond), atol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", [sample, by_gathering])
def test_gradients_by_finite_differences(way: object) -> None:
    points = torch.rand(1, 9, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 3 - 1.5
    image = picture(4).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: way(values, points, "around"), (image,))  # type: ignore[operator]


def test_parts_of_a_pixel_are_averaged() -> None:
    points = frame_points(3, 4, 2, torch.zeros(1))
    assert points.shape == (48, 2)
    seen = gathered(points.T[None], 3, 4, 2)
    assert torch.allclose(seen[0].flatten(1).T, frame_points(3, 4, 1, torch.zeros(1)), atol=1e-6)


def test_a_camera_with_enough_pixels_blurs_nothing_and_one_with_few_keeps_the_mean_of_the_middle() -> None:
    image = torch.zeros(2, 1, 27, 27)
    image[:, :, 13, 13] = 1
    sharp, soft = blurred(image, torch.tensor([27.0, 9.0]))
    assert torch.equal(sharp, image[0])
    assert soft[0, 13, 13] < 0.3
    assert float(soft.sum()) == pytest.approx(1.0, abs=1e-5)
    flat = torch.full((1, 1, 5, 7), 0.3)
    assert torch.allclose(blurred(flat, torch.tensor([2.0])), flat, atol=1e-6)
