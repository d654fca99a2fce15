import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.perturbation.homography import of_plane, warp
from advorch.kit.perturbation.poses import Poses, drawn, frontal, station
from advorch.kit.perturbation.render import meet, photograph
from advorch.kit.perturbation.sampling import frame_points
from advorch.kit.perturbation.scene import Scene

FRAME = (8, 8)
LIKE = torch.zeros(1, dtype=torch.float64)


def pictures(count: int = 1, side: int = 8) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def seen(scene: Scene, poses: Poses, images: Tensor | None = None) -> Tensor:
    images = pictures(len(poses)) if images is None else images
    return photograph(images, poses, scene, Draws(0, torch.arange(len(poses))), frame=FRAME)


def hit(scene: Scene, poses: Poses, x: float, y: float) -> tuple[bool, list[float], list[float]]:
    surface = meet(scene, poses, torch.tensor([[x, y]], dtype=torch.float64))
    return bool(surface.hit[0, 0]), surface.place[0, 0].tolist(), surface.normal[0, 0].tolist()


def test_a_plate_seen_from_ahead_is_its_picture() -> None:
    assert torch.allclose(seen(Scene(), frontal(1, LIKE)), pictures(), atol=1e-9)


def test_a_plate_is_what_its_homography_makes_of_it() -> None:
    poses = replace(
        drawn(Scene(), Draws(3, torch.arange(4)), torch.zeros(4, dtype=torch.float64)), shift=torch.zeros(4, 2)
    )
    plain = replace(
        frontal(4, LIKE), yaw=poses.yaw, pitch=poses.pitch, roll=poses.roll, distance=poses.distance, scale=poses.scale
    )
    by_map, _ = warp(pictures(4), of_plane(plain.rotation(), plain.distance, plain.zoom), *FRAME, finer=1)
    assert torch.allclose(seen(Scene(), plain), by_map, atol=1e-9)


def test_a_quarter_roll_turns_the_picture() -> None:
    turned = replace(frontal(1, LIKE), roll=LIKE + math.pi / 2)
    assert torch.allclose(seen(Scene(), turned), torch.rot90(pictures(), -1, (2, 3)), atol=1e-9)


def test_known_points_of_a_ball() -> None:
    """Nearly parallel rays along the axis: the middle is the front, and half a radius to the right is 30 degrees on."""
    ball, pose = Scene(shape="ball", copies=1), replace(frontal(1, LIKE), distance=LIKE + 1e6)
    assert hit(ball, pose, 0.0, 0.0) == (True, pytest.approx([0, 0], abs=1e-4), pytest.approx([0, 0, -1], abs=1e-4))
    met, place, normal = hit(ball, pose, 0.5, 0.0)
    assert met
    assert place == pytest.approx([30 / 180, 0], abs=1e-4)
    assert normal == pytest.approx([0.5, 0, -math.sqrt(0.75)], abs=1e-4)
    assert hit(ball, pose, 0.0, 0.5)[1] == pytest.approx([0, 30 / 90], abs=1e-4)
    assert not hit(ball, pose, 0.8, 0.7)[0]


def test_a_turn_of_a_ball_moves_its_picture_around() -> None:
    """Yaw is to the right as seen: what was in front is then off to a side by just that angle."""
    ball = Scene(shape="ball", copies=1)
    pose = replace(frontal(1, LIKE), distance=LIKE + 1e6, yaw=LIKE + math.radians(40))
    assert abs(hit(ball, pose, 0.0, 0.0)[1][0]) == pytest.approx(40 / 180, abs=1e-4)
    side = math.copysign(math.sin(math.radians(40)), -hit(ball, pose, 0.0, 0.0)[1][0])
    assert hit(ball, pose, side, 0.0)[1] == pytest.approx([0, 0], abs=1e-3)


def test_copies_go_around_a_ball() -> None:
    pose = replace(frontal(1, LIKE), distance=LIKE + 1e6)
    once, twice = (hit(Scene(shape="ball", copies=copies), pose, 0.5, 0.0)[1][0] for copies in (1, 2))
    assert twice == pytest.approx(2 * once)


def test_known_points_of_a_can() -> None:
    can, pose = Scene(shape="can", copies=1), replace(frontal(1, LIKE), distance=LIKE + 1e6)
    met, place, normal = hit(can, pose, 0.5, 0.6)
    assert met
    assert place == pytest.approx([30 / 180, 0.6], abs=1e-4)
    assert normal == pytest.approx([0.5, 0, -math.sqrt(0.75)], abs=1e-4)
    assert not hit(can, pose, 0.5, 1.01)[0]
    above = replace(pose, pitch=LIKE + math.radians(60))
    surface = meet(can, above, frame_points(16, 16, 1, LIKE))
    assert bool((surface.hit & ~surface.printed).any())  # an end comes into view, and is not printed
    assert bool((surface.hit & surface.printed).any())


def test_every_point_of_a_surface_lies_on_it() -> None:
    poses = drawn(Scene(shape="ball"), Draws(1, torch.arange(5)), torch.zeros(5, dtype=torch.float64))
    surface = meet(Scene(shape="ball"), poses, frame_points(9, 9, 1, LIKE))
    length = surface.normal.norm(dim=2)[surface.hit]
    assert torch.allclose(length, torch.ones_like(length), atol=1e-9)


def test_an_octagon_has_its_area() -> None:
    """2 (sqrt 2 - 1) r^2 of a square of 4 r^2 ... that is 82.8 % of the frame that it is drawn into."""
    surface = meet(Scene(outline="octagon"), frontal(1, LIKE), frame_points(200, 200, 1, LIKE))
    assert float(surface.hit.double().mean()) == pytest.approx(2 * (math.sqrt(2) - 1), abs=0.01)


def test_light_falls_off_where_the_ball_turns_away() -> None:
    white = torch.ones(1, 3, 4, 4, dtype=torch.float64)
    pose = replace(frontal(1, LIKE), shade=LIKE + 0.5)
    photo = seen(Scene(shape="ball"), pose, white)
    assert float(photo[0, 0, 4, 4]) == pytest.approx(1.0, abs=0.05)
    assert float(photo[0, 0, 4, 0]) < 0.95


@pytest.mark.parametrize("shape", ["plate", "ball", "can"])
def test_gradients_by_finite_differences(shape: str) -> None:
    scene = Scene.parse({"shape": shape, "background": "drawn", "noise": 0.01})
    rng = Draws(4, torch.arange(1))
    poses = drawn(scene, rng, LIKE)
    texture = (0.3 + 0.4 * pictures(1, 4)).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: photograph(values, poses, scene, rng, frame=(3, 3)), (texture,))


def test_photos_do_not_depend_on_who_else_is_photographed() -> None:
    scene = Scene(shape="ball", noise=0.02)
    images, rng = pictures(5), Draws(6, torch.arange(5) * 3)
    together = photograph(images, drawn(scene, rng, images), scene, rng, frame=FRAME)
    one = rng.take(torch.tensor([3]))
    alone = photograph(images[3:4], drawn(scene, one, images), scene, one, frame=FRAME)
    assert torch.allclose(together[3:4], alone, atol=1e-12)


def test_drawn_poses_keep_to_their_law() -> None:
    scene = Scene(yaw=20, pixels=(10, 40), scale=(0.5, 0.6), distance=(3, 9))
    poses = drawn(scene, Draws(0, torch.arange(4000)), torch.zeros(1, dtype=torch.float64))
    degrees = poses.yaw * 180 / math.pi
    assert -20 <= float(degrees.min()) < -19.5
    assert 19.5 < float(degrees.max()) <= 20
    assert 0.5 <= float(poses.scale.min()) <= float(poses.scale.max()) <= 0.6
    # Evenly by factor: half of the draws lie below the geometric mean.
    assert float((poses.pixels < 20).double().mean()) == pytest.approx(0.5, abs=0.03)
    assert torch.allclose(poses.light.norm(dim=1), torch.ones(4000, dtype=torch.float64))


def test_a_station_is_exactly_where_it_is_said_to_be() -> None:
    place = station(
        LIKE, halves=torch.tensor([8.0]), degrees=torch.tensor([30.0]), pixels=torch.tensor([20.0]), scale=0.9
    )
    assert float(place.yaw) == pytest.approx(math.pi / 6)
    assert float(place.distance) == 8
    assert float(place.zoom) == pytest.approx(7.2)
