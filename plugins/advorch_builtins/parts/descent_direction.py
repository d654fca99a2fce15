"""Danskin's descent direction (DDi): Latorre, Krawczuk, Dadi, Pethick and Cevher, ICLR 2023 ("Adversarial training
descends without descent"); curves, no number.

The gradient at one maximiser need not be a descent direction of the worst case. Of the gradients g_i at several of
them the shortest combination sum l_i g_i with l in the simplex is one, if there is any. Attacks start anew for each.
"""

import torch
from torch import Tensor, nn

from advorch.kit.training.parts import Parts, Site, Turn
from advorch.kit.training.statistics import frozen_statistics
from advorch.kit.training.step import Step
from advorch_builtins.parts.params import DescentDirectionParams


def descent_direction(site: Site, params: DescentDirectionParams) -> Parts:
    """The descent alone."""
    return Parts(descent=DescentDirection(params))


class DescentDirection:
    """As many attacks a batch as draws; the first counts for batch norm's statistics and for what is reported."""

    def __init__(self, params: DescentDirectionParams) -> None:
        self._params = params

    def update(self, step: Step, turn: Turn, /) -> Tensor:
        """The loss under the first attack is what is reported."""
        loss = turn.slope(step)
        slopes = [_taken(turn)]
        with frozen_statistics(turn.model):
            for variant in range(1, self._params.draws):
                turn.slope(step.again(variant))
                slopes.append(_taken(turn))
        self._combine(turn.model, torch.stack(slopes))
        turn.advance()
        return loss

    def _combine(self, model: nn.Module, slopes: Tensor) -> None:
        shares = shortest(slopes.double() @ slopes.double().T, self._params.search).to(slopes.dtype)
        direction = shares @ slopes
        if self._params.normalise:
            direction = direction / direction.norm().clamp_min(1e-12)
        start = 0
        for weight in _trained(model):
            weight.grad = direction[start : start + weight.numel()].view_as(weight).clone()
            start += weight.numel()


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _taken(turn: Turn) -> Tensor:
    """The gradient as one vector, which is then forgotten."""
    slopes = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in _trained(turn.model)]
    flat = torch.cat([slope.flatten() for slope in slopes])
    turn.clear()
    return flat


def shortest(gram: Tensor, steps: int) -> Tensor:
    """The l of the simplex with the least l' G l: projected gradients with Nesterov's momentum, step 1 / |G|_2."""
    shares = torch.full((len(gram),), 1 / len(gram), dtype=gram.dtype, device=gram.device)
    ahead, weight = shares, 1.0
    pace = 1 / torch.linalg.matrix_norm(gram, 2).clamp_min(1e-300)
    for _ in range(steps):
        following = onto_simplex(ahead - pace * (gram @ ahead))
        new = (1 + (1 + 4 * weight * weight) ** 0.5) / 2
        ahead = following + (weight - 1) / new * (following - shares)
        shares, weight = following, new
    return shares


def onto_simplex(point: Tensor) -> Tensor:
    """The nearest point with shares of at least zero that sum to one (Duchi et al. 2008)."""
    ordered = point.sort(descending=True).values
    excess = (ordered.cumsum(0) - 1) / torch.arange(1, len(point) + 1, dtype=point.dtype, device=point.device)
    last = int((ordered > excess).sum()) - 1
    return (point - excess[last]).clamp_min(0)
