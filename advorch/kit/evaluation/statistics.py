"""Proportions and how far they can be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many of so many."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """The share; of nothing it is nothing."""
        return self.count / self.total if self.total else math.nan

    @property
    def known(self) -> float | None:
        """The share for a table, where nothing is a blank."""
        return self.value if self.total else None

    @property
    def bounded(self) -> tuple[float | None, float | None, float | None]:
        """The share for a table with its bounds, or three blanks."""
        if not self.total:
            return None, None, None
        interval = self.interval()
        return self.value, interval.low, interval.high

    def interval(self, confidence: float = 0.95) -> Interval:
        """Wilson's score interval."""
        return wilson(self.count, self.total, confidence)


def proportion(flags: Tensor) -> Proportion:
    """The share of true flags."""
    return Proportion(int(flags.sum()), flags.numel())


def error_bars(shares: Sequence[Proportion]) -> list[list[float]]:
    """How far the interval of each share reaches below it, and above it."""
    spans = [(share.value, share.interval()) for share in shares]
    return [
        [max(0.0, value - span.low) for value, span in spans],
        [max(0.0, span.high - value) for value, span in spans],
    ]


def wilson(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Wilson 1927: the shares p with |count/total - p| <= z sqrt(p (1 - p) / total); of no trials, everything."""
    if total == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = count / total, 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # At the ends the formula is exact, but its rounding is not.
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == total else centre + half
    return Interval(low, high)


def by_class(correct: Tensor, y: Tensor, classes: int) -> list[Proportion]:
    """The accuracy on each class."""
    return [proportion(correct[y == label]) for label in range(classes)]


def worst_class(accuracies: Sequence[Proportion]) -> int | None:
    """The class with the lowest accuracy, of those that have samples."""
    present = [index for index, accuracy in enumerate(accuracies) if accuracy.total]
    return min(present, key=lambda index: accuracies[index].value, default=None)


def tail(accuracies: Sequence[Proportion], share: float = 0.2) -> float:
    """The mean accuracy on the worst share of the classes, one class at least."""
    values = sorted(accuracy.value for accuracy in accuracies if accuracy.total)
    kept = values[: max(1, math.floor(share * len(values)))]
    return sum(kept) / len(kept) if kept else math.nan


def worst_case(correct: Sequence[Tensor]) -> Tensor:
    """Samples that withstand every attack; never more than withstand any one of them."""
    return torch.stack(list(correct)).all(dim=0)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval | None]:
    """The mean of draws of one thing, with Student's interval; of a single one there is none."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    from scipy.stats import t  # type: ignore[import-untyped]

    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return mean, Interval(mean - half, mean + half)


def bounded_mean(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The same as three cells of a table."""
    mean, interval = mean_interval(values)
    return (mean, interval.low, interval.high) if interval else (mean, None, None)


def paired_difference(first: Tensor, second: Tensor, confidence: float = 0.95) -> tuple[float, Interval]:
    """Accuracy of `first` minus that of `second` on the same samples, with Bonett and Price's adjusted Wald interval.

    Bonett and Price 2012: one more sample for each discordant share, of n + 2, keeps the coverage at small n.
    """
    n = first.numel()
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    if n == 0:
        return math.nan, Interval(-1.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return (gained - lost) / n, Interval(max(-1.0, up - down - half), min(1.0, up - down + half))


def confusion(y: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Counts with the true class by row and the predicted class by column."""
    return torch.bincount(y * classes + predicted, minlength=classes * classes).view(classes, classes)
