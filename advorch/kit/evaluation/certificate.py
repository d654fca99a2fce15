"""Certificates by randomized smoothing: Cohen, Rosenfeld and Kolter 2019 (arXiv:1902.02918), algorithm CERTIFY.

g(x) is the class that f(x + sigma noise) gives most often. If that is A with probability pA > 1/2, g says A for every
point nearer to x than sigma Phi^-1(pA) in l2. One sample of n0 draws guesses A, another of n bounds pA from below.
"""

import torch
from torch import Tensor, nn

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.logits import check_logits
from advorch.kit.numbers import check_numbers


def lower_bound(counts: Tensor, total: int, alpha: float) -> Tensor:
    """Clopper and Pearson's lower bound of the share behind so many of `total`, wrong with probability alpha."""
    from scipy.stats import beta  # type: ignore[import-untyped]

    some = counts.double().clamp(min=1).cpu().numpy()
    bound = torch.as_tensor(beta.ppf(alpha, some, total - some + 1), dtype=torch.float64)
    return torch.where(counts.cpu() > 0, bound, 0.0)


def certified_radius(counts: Tensor, total: int, alpha: float, sigma: float) -> Tensor:
    """How far in l2 the vote cannot turn; NaN, which is to abstain, where another class may have half of the votes."""
    share = lower_bound(counts, total, alpha)
    radius = sigma * torch.special.ndtri(share)
    return torch.where(share > 0.5, radius, torch.nan)


def largest_radius(total: int, alpha: float, sigma: float) -> float:
    """That of a sample whose draws all agree, sigma Phi^-1(alpha^(1/n)); nothing where even those are too few."""
    return float(certified_radius(torch.tensor([total]), total, alpha, sigma).nan_to_num(0.0))


@torch.no_grad()
def votes(module: nn.Module, x: Tensor, draws: Draws, *, sigma: float, count: int, batch: int) -> Tensor:
    """How often each class is the prediction under gaussian noise, which is not clipped: one row of counts a sample.

    Every forward pass has draws of one sample only, so that no sample's votes depend on who else is certified. What
    the model computes is never lower than its own precision.
    """
    check_numbers(x, "smoothing")
    rows = []
    with torch.autocast(x.device.type, enabled=False):
        for place, clean in enumerate(x):
            own, counts = draws.take(slice(place, place + 1)), torch.zeros(0, dtype=torch.int64)
            for start in range(0, count, batch):
                shape = (min(batch, count - start), *clean.shape)
                noisy = clean + sigma * own.normal(shape, like=clean)[0]
                logits = check_logits(module(noisy), len(noisy))
                found = torch.bincount(logits.argmax(1), minlength=logits.shape[1])
                counts = found.cpu() + counts if len(counts) else found.cpu()
            rows.append(counts)
    return torch.stack(rows)


def certify(  # noqa: PLR0913 - the algorithm's own arguments
    module: nn.Module, x: Tensor, draws: Draws, *, sigma: float, n0: int, n: int, batch: int
) -> tuple[Tensor, Tensor]:
    """The guessed class of each sample, and how many of n further draws agree with the guess."""
    guess = votes(module, x, draws.fork("guess"), sigma=sigma, count=n0, batch=batch).argmax(1)
    counts = votes(module, x, draws.fork("count"), sigma=sigma, count=n, batch=batch)
    return guess, counts.gather(1, guess[:, None]).squeeze(1)
