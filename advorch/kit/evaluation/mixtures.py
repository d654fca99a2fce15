"""How well samples cover a mixture whose components are the classes of labelled data."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advorch.kit.data import Data

# Metz et al. 2016 and its followers: within three deviations is of high quality; 20 such of 2500 samples cover a mode.
_RADIUS = 3.0
_SHARE = 20 / 2500


@dataclass(frozen=True, slots=True)
class Mixture:
    """Centres, one deviation a coordinate for each of them, and the class that each stands for."""

    centres: Tensor
    deviations: Tensor
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Modes covered, of how many; the share of good samples; their histogram, and its divergence from uniform."""

    modes: int
    of: int
    quality: float
    counts: tuple[int, ...]
    divergence: float | None


def mixture_of(data: Data) -> Mixture:
    """The component of each class, from its samples: mean, and root mean square deviation of a coordinate."""
    x = data.x.double().flatten(1)
    groups = {label: x[data.y == label] for label in range(len(data.classes))}
    groups = {label: group for label, group in groups.items() if len(group) > 1}
    if not groups:
        raise ValueError("no class has two samples to tell its spread from")
    centres = torch.stack([group.mean(dim=0) for group in groups.values()])
    return Mixture(centres, torch.stack([_deviation(group) for group in groups.values()]), tuple(groups))


def _deviation(group: Tensor) -> Tensor:
    free = (len(group) - 1) * group.shape[1]
    return ((group - group.mean(dim=0)).square().sum() / free).sqrt()


def nearest(x: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """For each sample the nearest centre, and how many of its deviations away that is."""
    distance, index = torch.cdist(x.double().flatten(1), mixture.centres.to(x.device)).min(dim=1)
    return index, distance / mixture.deviations.to(x.device)[index]


def cover(x: Tensor, mixture: Mixture) -> Coverage:
    """Coverage of a mixture by samples."""
    index, away = nearest(x, mixture)
    return coverage(index, away, len(mixture.centres))


def coverage(index: Tensor, away: Tensor, modes: int) -> Coverage:
    """The same from what `nearest` found."""
    good = away <= _RADIUS
    counts = torch.bincount(index[good], minlength=modes)
    least = max(1, math.ceil(_SHARE * len(index)))
    return Coverage(
        modes=int((counts >= least).sum()),
        of=modes,
        quality=int(good.sum()) / max(1, len(index)),
        counts=tuple(counts.tolist()),
        divergence=_from_uniform(counts),
    )


def _from_uniform(counts: Tensor) -> float | None:
    """KL divergence of a histogram to the uniform one, in nats; of an empty histogram there is none."""
    if not int(counts.sum()):
        return None
    shares = counts.double() / counts.sum()
    return max(0.0, float(torch.special.xlogy(shares, shares * len(counts)).sum()))
