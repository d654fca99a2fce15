"""Losses of many ascents: their curves, where they end, and what lies between their ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advorch.kit.evaluation.figures import COLOURS, new_figure, plain, png, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES = ("", "///", "...", "xxx")
_SOFT = "#59636e"
_FONT = 9
_BINS = 80
_SEGMENTS = 150  # drawn of a model's, so that a line can still be followed
_LONG = 1e4
_DECADE = 4.0  # beyond this ratio of losses the axis is logarithmic


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascents:
    """One model: titles of samples, curves and final losses of each, segments and angles of all pairs of maxima."""

    model: str
    titles: tuple[str, ...]
    curves: Tensor
    losses: Tensor
    segments: Tensor
    angles: Tensor


def loss_curves(found: Sequence[Ascents]) -> bytes:
    """A row for each model, a column for each sample; every ascent is a line."""
    columns = len(found[0].titles)
    figure = new_figure(width=1.0 + 1.75 * columns, height=0.5 + 1.6 * len(found))
    grid = figure.subplots(len(found), columns, squeeze=False, sharex=True)
    for line, (each, axes_row) in enumerate(zip(found, grid, strict=True)):
        for place, axes in enumerate(axes_row):
            _bare(axes)
            for curve in each.curves[place].tolist():
                axes.plot(curve, color=COLOURS[line % len(COLOURS)], linewidth=0.7, alpha=0.55)
            axes.set_ylim(bottom=0)
            if line == 0:
                axes.set_title(plain(each.titles[place]), fontsize=_FONT)
            if line == len(found) - 1:
                axes.set_xlabel("step", fontsize=_FONT)
        axes_row[0].set_ylabel(f"loss\n{wrapped(each.model)}", fontsize=_FONT - 1)
    return png(figure)


def final_losses(found: Sequence[Ascents]) -> bytes:
    """A panel for each sample, the models over each other; counts are logarithmic, so that outliers show."""
    columns = len(found[0].titles)
    figure = new_figure(width=1.0 + 1.9 * columns, height=2.6)
    (grid,) = figure.subplots(1, columns, squeeze=False, sharey=True)
    for place, axes in enumerate(grid):
        _bare(axes)
        values = [each.losses[place] for each in found]
        edges, logarithmic = _edges(torch.cat(values))
        for line, (each, losses) in enumerate(zip(found, values, strict=True)):
            axes.hist(
                losses.tolist(), bins=edges, alpha=0.6, color=COLOURS[line % len(COLOURS)], edgecolor="white",
                linewidth=0.3, hatch=_HATCHES[line % len(_HATCHES)], label=plain(each.model),
            )  # fmt: skip
        if logarithmic:
            axes.set_xscale("log")
            axes.set_xticks(_few_ticks(edges[0], edges[-1]), minor=False)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xticks([], minor=True)
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.set_yticks([10**power for power in range(len(str(len(values[0]))))])
        axes.set_yticks([], minor=True)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title(plain(found[0].titles[place]), fontsize=_FONT)
        axes.set_xlabel("final loss", fontsize=_FONT)
    grid[0].set_ylabel("ascents", fontsize=_FONT)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=_FONT)
    return png(figure)


def between(found: Sequence[Ascents]) -> bytes:
    """Above, the loss on the straight way between two maxima, over their mean; below, the angles of all pairs."""
    figure = new_figure(width=1.2 + 3.1 * len(found), height=4.6)
    grid = figure.subplots(2, len(found), squeeze=False, sharey="row", height_ratios=[1.5, 1])
    for column, each in enumerate(found):
        colour = COLOURS[column % len(COLOURS)]
        upper, lower = grid[0][column], grid[1][column]
        for axes in (upper, lower):
            _bare(axes)
        ends = 0.5 * (each.segments[:, :1] + each.segments[:, -1:])
        shares = [point / (each.segments.shape[1] - 1) for point in range(each.segments.shape[1])]
        lines = (each.segments / ends.clamp(min=1e-12))[:: max(1, len(each.segments) // _SEGMENTS)]
        for line in lines.tolist():
            upper.plot(shares, line, color=colour, linewidth=0.6, alpha=0.35)
        upper.plot(shares, lines.median(0).values.tolist(), color="black", linewidth=1.6)
        upper.set_title(wrapped(each.model), fontsize=_FONT)
        upper.set_xlabel("from one maximum to another (black: median)", fontsize=_FONT - 1)
        lower.hist(each.angles.tolist(), bins=[4.5 * number for number in range(41)], color=colour)
        lower.set_xlabel("angle between the two changes (degrees)", fontsize=_FONT - 1)
        lower.set_xlim(0, 180)
        lower.set_xticks([0, 45, 90, 135, 180])
    grid[0][0].set_ylim(bottom=0)
    grid[0][0].set_ylabel("loss / mean of the ends", fontsize=_FONT)
    grid[1][0].set_ylabel("pairs", fontsize=_FONT)
    return png(figure)


def _edges(values: Tensor) -> tuple[list[float], bool]:
    """Bins over all losses; by equal factors where the largest is many times the smallest."""
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high / low > _DECADE
    if high <= low:
        low, high = low - 0.5, high + 0.5
    ends = (math.log(low), math.log(high)) if logarithmic else (low, high)
    inner = torch.linspace(*ends, _BINS + 1, dtype=torch.float64)[1:-1]
    # Exact at both ends: what lies beyond by rounding would not be counted.
    return [low, *(inner.exp() if logarithmic else inner).tolist(), high], logarithmic


def _few_ticks(low: float, high: float) -> list[float]:
    """Ones and threes inside the range, or ones alone where that is long."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 3) if high / low < _LONG else (1,)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def _bare(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c8ced4")
    axes.tick_params(axis="both", length=2, labelsize=_FONT - 1, labelcolor=_SOFT)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
