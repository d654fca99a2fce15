"""Ways from one code to another, which begin and end at the codes themselves, to the last bit."""

import torch
from torch import Tensor

_STRAIGHT = 1e-4  # radians, or so near to a half turn


def lerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """The straight way."""
    return (1 - share) * first + share * second


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """The great circle (Shoemake 1985), for normal codes: the straight way leads past lengths that they never have.

    Between codes of one direction, or of opposite ones, it is straight.
    """
    cosine = torch.cosine_similarity(first, second, dim=1)[:, None].clamp(-1, 1)
    angle = torch.arccos(cosine)
    sine = torch.sin(angle)
    bent = (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / sine
    straight = (angle < _STRAIGHT) | (angle > torch.pi - _STRAIGHT)
    way = torch.where(straight, lerp(first, second, share), bent)
    ends = {0.0: first, 1.0: second}
    return ends.get(share, way)


PATHS = {"lerp": lerp, "slerp": slerp}


def along(first: Tensor, second: Tensor, steps: int, path: str) -> Tensor:
    """Codes by pair and step, both ends among them."""
    way = PATHS[path]
    return torch.stack([way(first, second, place / (steps - 1)) for place in range(steps)], dim=1)
