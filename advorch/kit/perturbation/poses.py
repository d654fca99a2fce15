"""How objects stand before the camera: drawn from a scene's law, or exactly where somebody says."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.perturbation.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Poses:
    """One number or vector a picture; angles in radians."""

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    distance: Tensor
    scale: Tensor
    shift: Tensor
    pixels: Tensor
    brightness: Tensor
    contrast: Tensor
    gamma: Tensor
    shade: Tensor
    light: Tensor

    def __len__(self) -> int:
        return len(self.yaw)

    def rotation(self) -> Tensor:
        """About the upright axis first, then the level one, then the line of sight: (n, 3, 3)."""
        return _about(2, self.roll) @ _about(0, self.pitch) @ _about(1, self.yaw)

    @property
    def zoom(self) -> Tensor:
        """What makes a frontal plate take its share of the frame."""
        return self.scale * self.distance


def frontal(count: int, like: Tensor) -> Poses:
    """From far ahead, filling the frame, in plain light: a plate is then shown as it is."""
    zero, one = like.new_zeros(count), like.new_ones(count)
    ahead = torch.stack([zero, zero, -one], 1)
    return Poses(
        yaw=zero, pitch=zero, roll=zero, distance=1000 * one, scale=one, shift=torch.stack([zero, zero], 1),
        pixels=1e6 * one, brightness=zero, contrast=one, gamma=one, shade=zero, light=ahead,
    )  # fmt: skip


def drawn(scene: Scene, rng: Draws, like: Tensor) -> Poses:
    """One pose for each of the draws' samples; distance and pixels evenly in their logarithm, as scales are."""

    def angle(name: str, degrees: float) -> Tensor:
        return _between(rng.fork(name), (-degrees, degrees), like) * (math.pi / 180)

    shift = rng.fork("shift").uniform((2,), -2 * scene.shift, 2 * scene.shift, like=like)
    aside = rng.fork("light").uniform((2,), -1.0, 1.0, like=like)
    light = torch.cat([aside, -torch.ones_like(aside[:, :1])], 1)
    return Poses(
        yaw=angle("yaw", scene.yaw),
        pitch=angle("pitch", scene.pitch),
        roll=angle("roll", scene.roll),
        distance=_by_factor(rng.fork("distance"), scene.distance, like),
        scale=_between(rng.fork("scale"), scene.scale, like),
        shift=shift,
        pixels=_by_factor(rng.fork("pixels"), scene.pixels, like),
        brightness=_between(rng.fork("brightness"), (-scene.brightness, scene.brightness), like),
        contrast=_between(rng.fork("contrast"), scene.contrast, like),
        gamma=_between(rng.fork("gamma"), scene.gamma, like),
        shade=_between(rng.fork("shade"), (0.0, scene.shade), like),
        light=light / light.norm(dim=1, keepdim=True),
    )


def station(like: Tensor, *, halves: Tensor, degrees: Tensor, pixels: Tensor, scale: float) -> Poses:
    """Exact places to look from: distances in halves of the object's side, and angles from straight ahead."""
    ahead = frontal(len(halves), like)
    return replace(
        ahead,
        yaw=degrees.to(like) * (math.pi / 180),
        distance=halves.to(like),
        pixels=pixels.to(like),
        scale=torch.full_like(ahead.scale, scale),
    )


def _between(rng: Draws, span: tuple[float, float], like: Tensor) -> Tensor:
    return rng.uniform((), *span, like=like)


def _by_factor(rng: Draws, span: tuple[float, float], like: Tensor) -> Tensor:
    low, high = span
    return rng.uniform((), math.log(low), math.log(high), like=like).exp()


def _about(axis: int, angle: Tensor) -> Tensor:
    """Rotations of (right, down, away) about one of the axes."""
    cosine, sine = angle.cos(), angle.sin()
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn = torch.zeros(len(angle), 3, 3, dtype=angle.dtype, device=angle.device)
    turn[:, axis, axis] = 1
    turn[:, first, first] = turn[:, second, second] = cosine
    turn[:, first, second], turn[:, second, first] = -sine, sine
    return turn
