"""Whether two sets of codes follow one law, and what can be read off codes."""

import torch
from torch import Tensor

_BLOCK = 1000


def energy(first: Tensor, second: Tensor) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| (Szekely and Rizzo 2013); zero in the mean only where the laws are equal."""
    distances = torch.cdist(torch.cat([first, second]).double(), torch.cat([first, second]).double())
    return float(_statistic(distances, torch.arange(len(first) + len(second)), len(first)))


def same_law(first: Tensor, second: Tensor, *, draws: int = 200, seed: int = 0) -> float:
    """The p-value of the energy test: how often sets mixed at random are as far apart."""
    both = torch.cat([first[:_BLOCK], second[:_BLOCK]]).double()
    count = len(first[:_BLOCK])
    distances = torch.cdist(both, both)
    rng = torch.Generator().manual_seed(seed)
    found = _statistic(distances, torch.arange(len(both)), count)
    mixed = [_statistic(distances, torch.randperm(len(both), generator=rng), count) for _ in range(draws)]
    return (1 + sum(bool(value >= found) for value in mixed)) / (1 + draws)


def _statistic(distances: Tensor, order: Tensor, count: int) -> Tensor:
    """With s = +1/n on one set and -1/m on the other, minus s' D s, which is one product instead of three blocks."""
    signs = torch.empty(len(order), dtype=distances.dtype)
    signs[order[:count]] = 1 / count
    signs[order[count:]] = -1 / (len(order) - count)
    return -(signs @ distances @ signs)


def probe(codes: Tensor, y: Tensor) -> float:
    """The accuracy with which a linear model reads the class off unseen codes, having seen the first half."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    half = len(codes) // 2
    if bool((y[:half] == y[0]).all()):
        return float((y[half:] == y[0]).double().mean())
    scaler = StandardScaler().fit(codes[:half].numpy())
    model = LogisticRegression(max_iter=1000).fit(scaler.transform(codes[:half].numpy()), y[:half].numpy())
    return float(model.score(scaler.transform(codes[half:].numpy()), y[half:].numpy()))


def nearest_class(codes: Tensor, y: Tensor) -> float:
    """The accuracy of the nearest class mean, found on the first half, on the other."""
    half = len(codes) // 2
    labels = torch.tensor(sorted(set(y[:half].tolist())))
    means = torch.stack([codes[:half][y[:half] == label].mean(0) for label in labels])
    found = labels[torch.cdist(codes[half:], means).argmin(1)]
    return float((found == y[half:]).double().mean())
