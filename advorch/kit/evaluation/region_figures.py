"""Regions of the plane by the label that a model gives them: one panel a sample and model, one legend for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advorch.kit.evaluation.figures import new_figure, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap

_FONT = 9
_SOFT = "#59636e"
# Tol's muted colours keep ten classes apart for colour-blind eyes too; more classes share colours.
_COLOURS = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#DDDDDD",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """Labels by sample, model, height and width; heights and widths go from -reach to reach."""

    regions: Tensor
    rows: Sequence[str]
    columns: Sequence[str]
    classes: Sequence[str]
    reach: float


def region_map(panels: Panels, *, across: str, up: str) -> bytes:
    """Rows of samples, columns of models; a cross marks the sample."""
    lines, columns = len(panels.rows), len(panels.columns)
    figure = new_figure(width=1.1 + 1.75 * columns, height=1.0 + 1.5 * lines)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    present = sorted(set(panels.regions.flatten().tolist()))
    palette = _palette()
    for row in range(lines):
        for column in range(columns):
            _panel(grid[row][column], panels.regions[row, column], panels.reach, palette)
        grid[row][0].set_ylabel(plain(panels.rows[row]), fontsize=_FONT)
    for column, name in enumerate(panels.columns):
        grid[0][column].set_title(plain(name), fontsize=_FONT)
    figure.supxlabel(plain(f"{across} (1 = one value of an 8-bit pixel, root mean square)"), fontsize=_FONT)
    figure.supylabel(plain(up), fontsize=_FONT)
    from matplotlib.patches import Patch

    handles = [Patch(color=_colour(label), label=plain(panels.classes[label])) for label in present]
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=_FONT, title="label")
    return png(figure)


def _panel(axes: "Axes", region: Tensor, reach: float, palette: "ListedColormap") -> None:
    shown = (region % len(_COLOURS)).to(torch.uint8).numpy()
    half = reach * (1 + 1 / (len(region) - 1))
    axes.imshow(
        shown, origin="lower", extent=(-half, half, -half, half), cmap=palette, vmin=0, vmax=len(_COLOURS) - 1,
        interpolation="nearest",
    )  # fmt: skip
    axes.plot([0], [0], marker="+", color="white", markersize=9, markeredgewidth=2.4)
    axes.plot([0], [0], marker="+", color="black", markersize=8, markeredgewidth=1.0)
    axes.tick_params(length=2, labelsize=_FONT - 2, labelcolor=_SOFT)
    axes.spines[:].set_color("#c8ced4")


def _palette() -> "ListedColormap":
    from matplotlib.colors import ListedColormap

    return ListedColormap(_COLOURS)


def _colour(label: int) -> str:
    return _COLOURS[label % len(_COLOURS)]
