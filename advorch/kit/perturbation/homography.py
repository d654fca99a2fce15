"""Projective maps of the plane: of points, of images."""

import torch
from torch import Tensor

from advorch.kit.perturbation.sampling import Beyond, frame_points, gathered, sample


def similarity(scale: Tensor, angle: Tensor, shift: Tensor) -> Tensor:
    """Made smaller, turned counterclockwise as seen, and moved; down is the second axis."""
    cosine, sine, zero = scale * angle.cos(), scale * angle.sin(), torch.zeros_like(scale)
    rows = [cosine, sine, shift[:, 0], -sine, cosine, shift[:, 1], zero, zero, torch.ones_like(zero)]
    return torch.stack(rows, 1).view(-1, 3, 3)


def of_plane(rotation: Tensor, distance: Tensor, zoom: Tensor) -> Tensor:
    """How a pinhole camera shows a plane through a point straight ahead: turned by (n, 3, 3), at a distance."""
    columns = [zoom[:, None] * rotation[:, :2, 0], zoom[:, None] * rotation[:, :2, 1]]
    top = torch.stack([*columns, torch.zeros_like(columns[0])], 2)
    bottom = torch.stack([rotation[:, 2, 0], rotation[:, 2, 1], distance], 1)[:, None]
    return torch.cat([top, bottom], 1)


def move(maps: Tensor, points: Tensor) -> Tensor:
    """Points (n, m, 2) under maps (n, 3, 3)."""
    raised = torch.cat([points, torch.ones_like(points[..., :1])], 2) @ maps.transpose(1, 2)
    return raised[..., :2] / raised[..., 2:]


def warp(
    images: Tensor, maps: Tensor, height: int, width: int, *, finer: int = 2, beyond: Beyond = "edge"
) -> tuple[Tensor, Tensor]:
    """Each image as its map shows it in a frame, and how much of each pixel it covers; both in [-1, 1] squared."""
    points = frame_points(height, width, finer, images).expand(len(images), -1, -1)
    sources = move(torch.linalg.inv(maps), points)
    inside = (sources.abs() <= 1).all(2)[:, None].to(images.dtype)
    seen, covered = sample(images, sources, beyond), inside
    return gathered(seen, height, width, finer), gathered(covered, height, width, finer)
