"""Distances of optimal transport between two equally weighted sets of samples, by POT."""

import torch
from torch import Tensor


def exact(first: Tensor, second: Tensor, power: int = 1) -> float:
    """The Wasserstein distance of that order, by the network simplex; costs are scaled, since huge ones stop it early.

    Of a shift by v it is |v|, whatever the order.
    """
    import ot

    costs = torch.cdist(_rows(first), _rows(second), compute_mode="donot_use_mm_for_euclid_dist") ** power
    scale = float(costs.max()) or 1.0
    total = scale * float(ot.emd2([], [], (costs / scale).numpy(), numItermax=1_000_000))
    return float(max(0.0, total) ** (1 / power))


def sliced(first: Tensor, second: Tensor, *, projections: int = 200, seed: int = 0) -> float:
    """The root mean square of W2 over projections onto random lines; of a shift by v about |v| / sqrt(d)."""
    import ot

    distance = ot.sliced_wasserstein_distance(
        _rows(first).numpy(), _rows(second).numpy(), n_projections=projections, p=2, seed=seed
    )
    return float(distance)


def plan(first: Tensor, second: Tensor) -> Tensor:
    """For each of `first` the one of `second` that its mass goes to, where both are as many: a permutation."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    costs = torch.cdist(_rows(first), _rows(second)).square()
    return torch.as_tensor(linear_sum_assignment(costs.numpy())[1])


def _rows(x: Tensor) -> Tensor:
    return x.detach().to("cpu", torch.float64).flatten(1)
