"""Many numbers of many trials in one picture: an upright axis for each, and a line a trial across them."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advorch.kit.evaluation.figures import new_figure, plain, png
from advorch.kit.evaluation.trials import Dimension, Trial, Trials

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

_FONT = 9
_SOFT = "#59636e"
_QUIET = "#b4bcc4"
_MAP = "viridis"  # even in lightness, and read by colour-blind eyes


def parallel_coordinates(trials: Trials) -> bytes:
    """A line a trial through what it drew to what it measured; the winner is thick, what has no result is grey."""
    metric, _ = trials.objectives[0]
    figure = new_figure(width=max(5.0, 1.5 + 1.35 * (len(trials.dimensions) + 1)), height=3.9)
    axes = figure.add_subplot()
    scales = [*(_scale(item, trials) for item in trials.dimensions), _Scale.of_metric(metric, trials)]
    norm = _norm([trial.metrics[metric] for trial in trials.done])
    best = trials.winners[0].number if trials.winners else None
    for trial in sorted(trials.trials, key=lambda trial: (trial.measured, trial.number == best, trial.number)):
        _draw_line(axes, trial, scales, metric, norm, thick=trial.number == best)
    for place, scale in enumerate(scales):
        _draw_axis(axes, place, scale)
    axes.set_xlim(-0.35, len(scales) - 0.55)
    axes.set_ylim(-0.04, 1.04)
    axes.axis("off")
    _bar(figure, axes, norm, metric)
    return png(figure)


class _Scale:
    """From a value to a height between 0 and 1, with ticks."""

    def __init__(self, name: str, ticks: Mapping[float, str], low: float, high: float, *, log: bool = False) -> None:
        self.name = name
        self.ticks = ticks
        self._low, self._high, self._log = low, high, log
        self.places: Mapping[str, float] = {}

    @classmethod
    def of_metric(cls, metric: str, trials: Trials) -> "_Scale":
        """What was measured, from the least to the most."""
        return cls.of_numbers(metric, [trial.metrics[metric] for trial in trials.done], log=False)

    @classmethod
    def of_numbers(cls, name: str, values: Sequence[float], *, log: bool) -> "_Scale":
        """Numbers with a few ticks."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if low == high:
            low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
        shares = [0, 0.25, 0.5, 0.75, 1]
        at = [low * (high / low) ** share if log else low + (high - low) * share for share in shares]
        return cls(name, {share: f"{value:.3g}" for share, value in zip(shares, at, strict=True)}, low, high, log=log)

    @classmethod
    def of_names(cls, name: str, values: Sequence[Any]) -> "_Scale":
        """Values without an order, evenly apart."""
        names = list(dict.fromkeys(map(_spelled, values)))
        gap = 1 / max(1, len(names) - 1)
        scale = cls(name, {place * gap if len(names) > 1 else 0.5: text for place, text in enumerate(names)}, 0, 1)
        scale.places = {text: height for height, text in scale.ticks.items()}
        return scale

    def height(self, value: Any) -> float:
        """Where a value lies; NaN where there is none."""
        if value is None:
            return math.nan
        if self.places:
            return self.places.get(_spelled(value), math.nan)
        if self._log:
            return math.log(float(value) / self._low) / math.log(self._high / self._low)
        return (float(value) - self._low) / (self._high - self._low)


def _scale(dimension: Dimension, trials: Trials) -> _Scale:
    values = [trial.values[dimension.name] for trial in trials.trials if dimension.name in trial.values]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if dimension.listed or len(numbers) < len(values):
        return _Scale.of_names(dimension.name, sorted(values, key=lambda value: (str(type(value)), value)))
    return _Scale.of_numbers(dimension.name, numbers, log=dimension.log)


def _draw_line(
    axes: "Axes", trial: Trial, scales: Sequence[_Scale], metric: str, norm: "Normalize", *, thick: bool
) -> None:
    from matplotlib import colormaps

    measured = trial.metrics.get(metric) if trial.measured else None
    heights = [scale.height(trial.values.get(scale.name)) for scale in scales[:-1]] + [scales[-1].height(measured)]
    colour = colormaps[_MAP](norm(measured)) if measured is not None else _QUIET
    if thick:
        axes.plot(range(len(scales)), heights, color="black", linewidth=4.2, solid_capstyle="round")
    axes.plot(
        range(len(scales)), heights, color=colour, linewidth=2.6 if thick else 1.2, marker="o", markersize=3,
        linestyle="solid" if measured is not None else (0, (2, 2)), alpha=1.0 if measured is not None else 0.7,
    )  # fmt: skip


def _draw_axis(axes: "Axes", place: int, scale: _Scale) -> None:
    axes.axvline(place, color=_SOFT, linewidth=0.9, zorder=0)
    axes.text(place, 1.075, plain(scale.name), ha="center", va="bottom", fontsize=_FONT, fontweight="bold")
    for height, text in scale.ticks.items():
        axes.text(
            place - 0.04, height, plain(text), ha="right", va="center", fontsize=_FONT - 2, color="#303840", zorder=6,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def _norm(values: Sequence[float]) -> "Normalize":
    from matplotlib.colors import Normalize

    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 1)


def _bar(figure: "Figure", axes: "Axes", norm: "Normalize", metric: str) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(norm=norm, cmap=_MAP), ax=axes, fraction=0.04, pad=0.02)
    bar.set_label(plain(metric), fontsize=_FONT)
    bar.ax.tick_params(labelsize=_FONT - 2, labelcolor=_SOFT, length=0)
    bar.outline.set_visible(False)


def _spelled(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
