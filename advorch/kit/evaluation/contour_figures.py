"""A probability over the plane as filled contours, a panel a model, with points of the classes on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from advorch.kit.evaluation.figures import MARKS, new_figure, plain, png
from advorch.kit.evaluation.surface_figures import arranged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FONT = 9
_LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_COLOURS = "PuOr"  # diverging about one half, for colour-blind eyes too
_PALE = (-0.7, 1.7)  # ends of the colours, beyond the probabilities: dots are to be seen on all of them
_INKS = ("#7f3b08", "#2d004b", "#303030")  # of the first other class, the drawn one and the rest

Points = tuple[Tensor, Tensor]
"""Places on the plane, and labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contours:
    """Panels by title, over the same places; pale points are many, strong ones few."""

    panels: Mapping[str, Tensor]
    across: Tensor
    up: Tensor
    pale: Points
    strong: Points | None
    classes: Sequence[str]
    label: int


def contour_panels(shown: Contours) -> bytes:
    """Rows of panels; the black line is where the probability is one half."""
    columns, lines = arranged(len(shown.panels))
    shape = float((shown.up[-1] - shown.up[0]) / (shown.across[-1] - shown.across[0]))
    figure = new_figure(width=1.3 + 2.5 * columns, height=0.8 + (0.3 + 2.3 * shape) * lines)
    grid = [axes for row in figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True) for axes in row]
    drawn: Any = None
    for axes, (title, values) in zip(grid, shown.panels.items(), strict=False):
        drawn = _panel(axes, values, shown)
        axes.set_title(plain(title), fontsize=_FONT)
    for axes in grid[len(shown.panels) :]:
        axes.set_axis_off()
    bar = figure.colorbar(drawn, ax=grid, shrink=0.7)
    bar.set_label(plain(f"probability of '{shown.classes[shown.label]}'"), fontsize=_FONT)
    bar.ax.tick_params(length=0, labelsize=_FONT - 1)
    figure.supxlabel("first main direction of the data", fontsize=_FONT)
    figure.supylabel("second main direction", fontsize=_FONT)
    return png(figure)


def _panel(axes: "Axes", values: Tensor, shown: Contours) -> Any:
    across, up = shown.across.tolist(), shown.up.tolist()
    drawn = axes.contourf(across, up, values.numpy(), levels=_LEVELS, cmap=_COLOURS, vmin=_PALE[0], vmax=_PALE[1])
    if float(values.min()) < 1 / 2 < float(values.max()):
        axes.contour(across, up, values.numpy(), levels=[0.5], colors="black", linewidths=1.4)
    _dots(axes, shown.pale, shown.label, size=3, alpha=0.6)
    if shown.strong is not None:
        _dots(axes, shown.strong, shown.label, size=34, alpha=1.0)
    axes.set_aspect("equal")
    axes.tick_params(length=2, labelsize=_FONT - 2)
    axes.spines[:].set_color("#c8ced4")
    return drawn


def _dots(axes: "Axes", points: Points, drawn: int, *, size: float, alpha: float) -> None:
    """A mark for each class; strong dots have a white rim."""
    places, y = points
    rim = {"edgecolors": "white", "linewidths": 0.8} if alpha == 1 else {"linewidths": 0}
    for label in sorted(set(y.tolist())):
        own = places[y == label]
        ink = _INKS[1] if label == drawn else _INKS[0] if label == int(drawn == 0) else _INKS[2]
        mark = MARKS[label % len(MARKS)]
        axes.scatter(own[:, 0].tolist(), own[:, 1].tolist(), s=size, marker=mark, color=ink, alpha=alpha, **rim)
