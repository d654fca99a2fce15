"""How alike two sets of features are: Frechet and kernel distances, and how far each covers the other."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class _AsGiven(nn.Module):
    """Features that were computed before, for a metric that wants a network."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, x: Tensor) -> Tensor:
        return x


def frechet(real: Tensor, drawn: Tensor) -> float:
    """|m - m'|^2 + tr(C + C' - 2 sqrt(C C')) of means and covariances (Heusel et al. 2017, arXiv:1706.08500)."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_AsGiven(real.shape[1]))
    metric.set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(drawn.double(), real=False)
    return float(metric.compute())


def kernel(real: Tensor, drawn: Tensor) -> float:
    """The unbiased squared MMD under (x.y / d + 1)^3, of as many of each (Binkowski et al. 2018, arXiv:1801.01401)."""
    from torchmetrics.image.kid import poly_mmd

    size = min(len(real), len(drawn))
    return float(poly_mmd(real[:size].double(), drawn[:size].double()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifold:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020, arXiv:2002.09797)."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(real: Tensor, drawn: Tensor, neighbours: int = 5) -> Manifold:
    """A sample stands for the ball that reaches its `neighbours`-th neighbour among its like."""
    real, drawn = real.double(), drawn.double()
    across = torch.cdist(real, drawn)
    around_real, around_drawn = _radius(real, neighbours), _radius(drawn, neighbours)
    inside = across < around_real[:, None]
    return Manifold(
        precision=float(inside.any(0).double().mean()),
        recall=float((across < around_drawn).any(1).double().mean()),
        density=float(inside.double().sum(0).mean() / neighbours),
        coverage=float((across.amin(1) < around_real).double().mean()),
    )


def _radius(x: Tensor, neighbours: int) -> Tensor:
    """The distance to the neighbour of that number; the nearest of all is the sample itself."""
    count = min(neighbours + 1, len(x))
    return torch.cdist(x, x).topk(count, largest=False).values[:, -1]
