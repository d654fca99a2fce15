"""Accuracies along a size as lines with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from advorch.kit.evaluation.figures import new_figure, plain, png
from advorch.kit.evaluation.statistics import Proportion

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_FONT = 9
_SOFT = "#59636e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Shares at sizes; curves of one group have one colour, and the first of each group a full line."""

    label: str
    group: int
    x: Sequence[float]
    y: Sequence[Proportion]


def accuracy_curves(curves: Sequence[Curve], groups: Sequence[str], axis: str) -> bytes:
    """All curves in one picture, shaded to their 95% intervals."""
    figure = new_figure(width=7.4, height=max(3.4, 0.9 + 0.2 * len(curves)))
    axes = figure.add_subplot()
    seen = [0] * len(groups)
    for curve in curves:
        colour, place = _COLOURS[curve.group % len(_COLOURS)], seen[curve.group]
        seen[curve.group] += 1
        intervals = [share.interval() for share in curve.y]
        ends = [interval.low for interval in intervals], [interval.high for interval in intervals]
        axes.fill_between(list(curve.x), *ends, color=colour, alpha=0.1, linewidth=0)
        axes.plot(
            list(curve.x), [share.value for share in curve.y], color=colour, linestyle=_STYLES[place % len(_STYLES)],
            marker=_MARKERS[place % len(_MARKERS)], markersize=4, linewidth=1.4, label=plain(curve.label),
        )  # fmt: skip
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20%", "40%", "60%", "80%", "100%"])
    axes.set_xlabel(axis, fontsize=_FONT)
    axes.set_ylabel("accuracy", fontsize=_FONT)
    axes.tick_params(length=0, labelsize=_FONT, labelcolor=_SOFT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside right center", frameon=False, fontsize=_FONT - 1)
    return png(figure)
