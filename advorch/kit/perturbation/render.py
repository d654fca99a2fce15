"""A small differentiable camera, as Athalye et al., ICML 2018, need: pictures on plates, balls and cans.

Rays through the middles of (parts of) pixels meet the object in closed form, so the picture is all that a gradient is
taken by. Axes are right, down and away; the camera is at the origin, and a plate that is not turned faces it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.attack.draws import Draws
from advorch.kit.perturbation.light import lit
from advorch.kit.perturbation.poses import Poses
from advorch.kit.perturbation.sampling import blurred, frame_points, gathered, sample
from advorch.kit.perturbation.scene import Scene

_FINER: Final = 2  # by so many parts a pixel is cut along each side, where the object has an edge
_CAP: Final = 0.5  # the ends of a can are grey
_FIELD: Final = 3  # colours along each side of a drawn background


class Surface(NamedTuple):
    """Where each ray meets the object: on the picture, how it faces the light, and whether it meets at all."""

    place: Tensor
    normal: Tensor
    hit: Tensor
    printed: Tensor


def photograph(pictures: Tensor, poses: Poses, scene: Scene, rng: Draws, *, frame: tuple[int, int]) -> Tensor:
    """One photo of each picture, values in [0, 1], background and noise from the draws."""
    height, width = frame
    edged = scene.curved or scene.background == "drawn"
    finer = _FINER if edged else 1
    surface = meet(scene, poses, frame_points(height, width, finer, pictures))
    seen = sample(pictures, surface.place, "around" if scene.curved else "edge")
    if scene.curved:
        seen = torch.where(surface.printed[:, None], seen, _CAP) * _shading(surface.normal, poses)[:, None]
    if edged:
        hit = surface.hit[:, None].to(seen.dtype)
        cover = gathered(hit, height, width, finer)
        photo = gathered(seen * hit, height, width, finer) + (1 - cover) * background(rng, pictures, height, width)
    else:
        photo = gathered(seen, height, width, finer)
    photo = lit(blurred(photo, poses.pixels), poses.brightness, poses.contrast, poses.gamma)
    if scene.noise:
        photo = (photo + scene.noise * rng.fork("noise").normal(photo.shape[1:], like=photo)).clamp(0, 1)
    return photo


def meet(scene: Scene, poses: Poses, points: Tensor) -> Surface:
    """Rays through points of the frame, in the object's own axes, against its shape."""
    x = (points[None, :, 0] - poses.shift[:, 0, None]) / poses.zoom[:, None]
    y = (points[None, :, 1] - poses.shift[:, 1, None]) / poses.zoom[:, None]
    rays = torch.stack([x, y, torch.ones_like(x)], 2) @ poses.rotation()
    eye = -poses.distance[:, None] * poses.rotation()[:, 2]
    return _SHAPES[scene.shape](scene, eye[:, None].expand_as(rays), rays)


def background(rng: Draws, like: Tensor, height: int, width: int) -> Tensor:
    """A smooth field of a few colours."""
    colours = rng.fork("background").uniform((like.shape[1], _FIELD, _FIELD), like=like)
    return functional.interpolate(colours, (height, width), mode="bilinear", align_corners=True)


def _plate(scene: Scene, eye: Tensor, rays: Tensor) -> Surface:
    depth = -eye[..., 2] / rays[..., 2]
    place = (eye + depth[..., None] * rays)[..., :2]
    inside = _OUTLINES[scene.outline](place) & (depth > 0)
    normal = torch.zeros_like(rays)
    # The photo shows the object at its extent; its surroundings lie in the same plane.
    return Surface(place * scene.extent, normal, inside, torch.ones_like(inside))


def _ball(scene: Scene, eye: Tensor, rays: Tensor) -> Surface:
    square, half = rays.square().sum(2), (eye * rays).sum(2)
    under = half.square() - square * (eye.square().sum(2) - 1)
    near = eye + ((-half - under.clamp(min=0).sqrt()) / square)[..., None] * rays
    around = _turns(near, scene)
    up = near[..., 1].clamp(-1, 1).asin() * (2 / math.pi)
    hit = under > 0
    return Surface(torch.stack([around, up], 2), near, hit, torch.ones_like(hit))


def _can(scene: Scene, eye: Tensor, rays: Tensor) -> Surface:
    """A cylinder as high as wide: its side is printed, its ends are not."""
    flat, origin = rays[..., [0, 2]], eye[..., [0, 2]]
    square, half = flat.square().sum(2).clamp(min=1e-12), (origin * flat).sum(2)
    under = half.square() - square * (origin.square().sum(2) - 1)
    side = eye + ((-half - under.clamp(min=0).sqrt()) / square)[..., None] * rays
    on_side = (under > 0) & (side[..., 1].abs() <= 1)
    end = -rays[..., 1].sign()  # the one that faces the camera
    cap = eye + ((end - eye[..., 1]) / rays[..., 1])[..., None] * rays
    on_cap = ~on_side & (cap[..., [0, 2]].square().sum(2) <= 1) & (eye[..., 1].abs() > 1)
    lid = torch.stack([torch.zeros_like(end), end, torch.zeros_like(end)], 2)
    mantle = torch.stack([side[..., 0], torch.zeros_like(end), side[..., 2]], 2)
    place = torch.stack([_turns(side, scene), side[..., 1]], 2)
    normal = torch.where(on_cap[..., None], lid, mantle)
    return Surface(torch.where(on_side[..., None], place, 0), normal, on_side | on_cap, on_side)


def _turns(point: Tensor, scene: Scene) -> Tensor:
    """Where around the object a point is, the front in the middle of a picture: `copies` of it go around."""
    turn = torch.atan2(point[..., 0], -point[..., 2]) / math.pi
    return turn * scene.copies if scene.copies > 1 else turn


def _shading(normal: Tensor, poses: Poses) -> Tensor:
    """Lambert's law, as much of it as the pose asks for; the light moves with the camera."""
    world = (normal * (poses.light[:, None] @ poses.rotation())).sum(2).clamp(0, 1)
    return 1 - poses.shade[:, None] * (1 - world)


def _square(place: Tensor) -> Tensor:
    return (place.abs() <= 1).all(2)


def _disc(place: Tensor) -> Tensor:
    return place.square().sum(2) <= 1


def _octagon(place: Tensor) -> Tensor:
    return _square(place) & (place.abs().sum(2) <= math.sqrt(2))


_SHAPES: Final[Mapping[str, Callable[[Scene, Tensor, Tensor], Surface]]] = {
    "plate": _plate,
    "ball": _ball,
    "can": _can,
}
_OUTLINES: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {"square": _square, "disc": _disc, "octagon": _octagon}
