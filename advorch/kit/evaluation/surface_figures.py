"""A height over a square as filled contours, a panel a model, on one scale of heights."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from advorch.kit.evaluation.figures import new_figure, plain, png

_FONT = 9
_MOST_ACROSS = 3
_LEVELS = 14


def surfaces(panels: Mapping[str, Tensor], reach: float) -> bytes:
    """Losses, drawn by their logarithm; the cross is the model itself."""
    columns, lines = arranged(len(panels))
    figure = new_figure(width=1.3 + 2.4 * columns, height=0.7 + 2.3 * lines)
    grid = [axes for row in figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True) for axes in row]
    levels = _levels(panels)
    drawn: Any = None
    for axes, (name, values) in zip(grid, panels.items(), strict=False):
        places = [reach * (2 * place / (len(values) - 1) - 1) for place in range(len(values))]
        shown = values.clamp(levels[0], levels[-1]).numpy()
        drawn = axes.contourf(places, places, shown, levels=levels, cmap="viridis", norm="log")
        axes.contour(places, places, shown, levels=levels[1:-1], colors="white", linewidths=0.4)
        axes.plot([0], [0], marker="+", color="white", markersize=8, markeredgewidth=1.6)
        axes.set_title(plain(name), fontsize=_FONT)
        axes.set_aspect("equal")
        axes.tick_params(length=2, labelsize=_FONT - 2)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    bar = figure.colorbar(drawn, ax=grid, shrink=0.8, format="%.2g")
    bar.set_label("loss", fontsize=_FONT)
    bar.ax.tick_params(length=0, labelsize=_FONT - 1)
    figure.supxlabel("first direction, in lengths of the filters", fontsize=_FONT)
    figure.supylabel("second direction", fontsize=_FONT)
    return png(figure)


def arranged(count: int) -> tuple[int, int]:
    """Columns and lines for so many panels, three across at most, with as few empty places as may be."""
    most = min(_MOST_ACROSS, count)
    columns = min(range(min(2, most), most + 1), key=lambda across: (-count % across, -across))
    return columns, -(-count // columns)


def _levels(panels: Mapping[str, Tensor]) -> list[float]:
    """Evenly in the logarithm, from the smallest loss of all to the largest."""
    low = max(1e-4, min(float(values.min()) for values in panels.values()))
    high = max(low * 1.01, *(float(values.max()) for values in panels.values()))
    step = math.log(high / low) / _LEVELS
    return [low * math.exp(step * place) for place in range(_LEVELS + 1)]
