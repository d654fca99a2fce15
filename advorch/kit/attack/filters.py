"""What is done to a gradient before a direction is made of it."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.attack.rows import largest, per_sample, total
from advorch.kit.attack.step import Direction, Step


def accumulated(decay: float, then: Direction) -> Direction:
    """Gradients of length one in l1 are summed, the older ones fading."""

    def direction(step: Step) -> Tensor:
        fresh = over_l1(step.gradient)
        kept = step.memory.get("momentum")
        step.memory["momentum"] = fresh if kept is None else decay * kept + fresh
        return then(replace(step, gradient=step.memory["momentum"]))

    return direction


def smoothed(reach: int, then: Direction) -> Direction:
    """Each channel of the gradient of an image convolved with a Gaussian."""

    def direction(step: Step) -> Tensor:
        return then(replace(step, gradient=blur(step.gradient, reach)))

    return direction


def over_l1(gradient: Tensor) -> Tensor:
    """The gradient over its l1 norm, sample by sample; zero stays zero, and the smallest float32 is no zero."""
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / per_sample(largest(gradient).clamp(min=tiny), gradient)
    return scaled / per_sample(total(scaled.abs()).clamp(min=tiny).to(scaled.dtype), scaled)


def blur(images: Tensor, reach: int) -> Tensor:
    """Depthwise, of the same size: a Gaussian over so many pixels on each side, which are sqrt(3) deviations."""
    line = torch.linspace(-(3**0.5), 3**0.5, 2 * reach + 1, dtype=images.dtype, device=images.device)
    weight = (-line.square() / 2).exp()
    channels = images.shape[1]
    across = (weight / weight.sum()).view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    over = functional.conv2d(images, across, padding="same", groups=channels)
    return functional.conv2d(over, across.transpose(2, 3), padding="same", groups=channels)


def over_l2(gradient: Tensor) -> Tensor:
    """The gradient over its l2 norm; scaled by the largest number first, since the square of a tiny one is zero."""
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / per_sample(largest(gradient).clamp(min=tiny), gradient)
    length = torch.linalg.vector_norm(scaled.flatten(1), dim=1)
    return scaled / per_sample(length.clamp(min=tiny), scaled)


def over_largest(gradient: Tensor) -> Tensor:
    """The gradient over its largest number."""
    return gradient / per_sample(largest(gradient).clamp(min=torch.finfo(gradient.dtype).tiny), gradient)
