"""Shares as dots with intervals, a line a thing measured, in groups that are named at the side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advorch.kit.evaluation.figures import COLOURS, MARKS, new_figure, plain, png
from advorch.kit.evaluation.statistics import Proportion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FONT = 9
_SOFT = "#59636e"
_LINE = 0.24  # inches

Groups = Mapping[str, Mapping[str, Sequence["Dot"]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """What one series has on a line."""

    series: str
    share: Proportion


def dot_plot(groups: Groups, series: Sequence[str], axis: str) -> bytes:
    """From above in the order given; series are told apart by colour and by shape."""
    lines = sum(len(group) for group in groups.values())
    figure = new_figure(width=7.6, height=1.1 + _LINE * (lines + 0.6 * len(groups)))
    axes = figure.add_subplot()
    at, ticks = 0.0, {}
    for name, group in groups.items():
        top = at
        for label, dots in group.items():
            ticks[at] = label
            _dots(axes, at, dots, series)
            at += 1
        axes.text(
            1.03, (top + at - 1) / 2, plain(name), transform=axes.get_yaxis_transform(), va="center", fontsize=_FONT
        )
        axes.axhline(at - 0.2, color="#c8ced4", linewidth=0.8)
        at += 0.6
    _finish(axes, ticks, at, axis)
    handles, labels = axes.get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))
    ordered = [name for name in map(plain, series) if name in known]
    figure.legend(
        [known[name] for name in ordered], ordered, loc="outside upper center", ncols=4, frameon=False, fontsize=_FONT
    )
    return png(figure)


def _dots(axes: "Axes", at: float, dots: Sequence[Dot], series: Sequence[str]) -> None:
    for dot in dots:
        if not dot.share.total:
            continue
        place = series.index(dot.series)
        height = at + 0.22 * (place - (len(series) - 1) / 2) / max(1, len(series) - 1)
        interval, colour = dot.share.interval(), COLOURS[place % len(COLOURS)]
        axes.plot([interval.low, interval.high], [height, height], color=colour, linewidth=1.2, alpha=0.5)
        axes.plot(
            [dot.share.value], [height], marker=MARKS[place % len(MARKS)], linestyle="none", markersize=5,
            color=colour, label=plain(dot.series), clip_on=False,
        )  # fmt: skip


def _finish(axes: "Axes", ticks: Mapping[float, str], end: float, axis: str) -> None:
    axes.set_yticks(list(ticks), [plain(label) for label in ticks.values()])
    axes.set_ylim(end - 0.8, -0.7)
    axes.set_xlim(-0.01, 1.01)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20%", "40%", "60%", "80%", "100%"])
    axes.set_xlabel(axis, fontsize=_FONT)
    axes.tick_params(length=0, labelsize=_FONT - 1, labelcolor=_SOFT)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
