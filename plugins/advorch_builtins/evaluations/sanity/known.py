"""Models whose answers are known: what the attacks of this kit make of them, here and now."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from advorch.api import Budget, Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.rows import euclidean
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks import cw, deepfool, fgsm
from advorch_builtins.attacks.catalog import FgsmParams
from advorch_builtins.attacks.catalog_minimal import CwParams, DeepFoolParams

_FEATURES, _SAMPLES = 12, 6
_EPSILON = 0.05


class Known(NamedTuple):
    """One answer: what was found, what is true, and how far apart they may be."""

    name: str
    found: float
    true: float
    within: float

    @property
    def right(self) -> bool:
        """Whether the answer is the true one."""
        return abs(self.found - self.true) <= self.within * max(abs(self.true), 1e-12)


class Linear(nn.Module):
    """Two classes, `w x + b` and its negative: the middle of the box is undecided."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        weight = torch.rand(_FEATURES, generator=rng) - 0.5
        self.weight = nn.Parameter(weight + 0.2 * weight.sign())

    def forward(self, x: Tensor) -> Tensor:
        height = (x - 0.5) @ self.weight
        return torch.stack([-height, height], 1)


class Rounded(Linear):
    """The same behind a staircase: broken by anything that does not trust its gradient, which is zero."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x * 16).round() / 16)


@functools.cache
def closed_forms() -> tuple[Known, ...]:
    """FGSM raises a linear margin by epsilon times the l1 norm; the others go the distance to the boundary."""
    return tuple(_answers())


def _answers() -> Iterator[Known]:
    module = Linear().eval()
    rng = torch.Generator().manual_seed(1)
    x = 0.5 + 0.1 * (torch.rand(_SAMPLES, _FEATURES, generator=rng) - 0.5)
    with torch.no_grad():
        logits = module(x)
        y, margin = logits.argmax(1), (logits[:, 1] - logits[:, 0]).abs()
    weight = module.weight.detach()
    moved = _run(fgsm.perturb, module, x, y, FgsmParams(), Norm.LINF)
    with torch.no_grad():
        after = module(moved).gather(1, y[:, None]).squeeze(1) * 2
    yield Known("FGSM's gain", float((margin - after).mean()), float(2 * _EPSILON * weight.abs().sum()), 1e-3)
    distance = float((margin / (2 * euclidean(weight[None]))).mean())
    for name, perturb, params in (
        ("DeepFool", deepfool.perturb, DeepFoolParams()),
        ("C&W", cw.perturb, CwParams(steps=100, searches=4)),
    ):
        found = _run(perturb, module, x, y, params, Norm.L2, Budget.MINIMAL)
        yield Known(f"{name}'s distance", float(euclidean(found - x).mean()), distance, 0.03)
    yield Known("the gradient of a staircase", _steepness(Rounded().eval(), x, y), 0.0, 0.0)


def _run(  # noqa: PLR0913, PLR0917 - an attack and all that it is given
    perturb: Callable[..., Tensor],
    module: nn.Module,
    x: Tensor,
    y: Tensor,
    params: Any,
    norm: Norm,
    budget: Budget = Budget.FIXED,
) -> Tensor:
    victim = Victim(module, box=(0.0, 1.0), norm=norm, epsilon=_EPSILON, budget=budget)
    with untouched(module):
        return perturb(victim, x, y, params, Draws(0, torch.arange(len(x))))


def _steepness(module: nn.Module, x: Tensor, y: Tensor) -> float:
    return float(Victim(module, box=None, norm=Norm.L2, epsilon=1.0).gradient(x, y).abs().max())
