"""Curves of several series over one axis, told apart by colour, line and mark together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from advorch.kit.evaluation.figures import COLOURS, MARKS, new_figure, plain, png
from advorch.kit.evaluation.statistics import Proportion

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_SOFT = "#59636e"
_FONT = 9
_LETTER = 0.075
_MARKED = 12  # marks on a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points of one series; `low` and `high` bound a band about it."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis is called, and how it is divided; shares are written in per cent, counts in whole numbers."""

    label: str
    scale: Literal["linear", "log", "symlog"] = "linear"
    share: bool = False
    count: bool = False


def accuracy_curve(x: Sequence[float], y: Sequence[Proportion]) -> Curve:
    """Shares with the bands of their 95% intervals."""
    bounds = [share.interval() for share in y]
    return Curve(
        x=x, y=[share.value for share in y], low=[bound.low for bound in bounds], high=[bound.high for bound in bounds]
    )


Panel = Mapping[str, Curve]
Decorate = Callable[["Axes"], None]


def curves(
    panels: Mapping[str, Panel], x: Axis, y: Axis, decorate: Decorate | None = None, height: float = 3.4
) -> bytes:
    """Panels side by side under their titles, on common axes; a series looks the same in all of them."""
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    figure = new_figure(width=max(4.8, 1.2 + 3.4 * len(panels)), height=height)
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)
    for axes, (title, panel) in zip(grid[0], panels.items(), strict=True):
        bare(axes)
        for name, curve in panel.items():
            draw_curve(axes, curve, name, names.index(name))
        scaled(axes, x, y)
        axes.set_title(plain(title) if len(panels) > 1 else "", fontsize=_FONT)
        if decorate is not None:
            decorate(axes)
    grid[0][0].set_ylabel(plain(y.label), fontsize=_FONT)
    if len(names) > 1:
        legend(figure, names)
    return png(figure)


def bare(axes: "Axes") -> None:
    """No box, pale lines behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c8ced4")
    axes.tick_params(axis="both", length=0, labelsize=_FONT - 1, labelcolor=_SOFT)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)


def scaled(axes: "Axes", x: Axis, y: Axis) -> None:
    """Scales and labels; shares from nothing to all."""
    axes.set_xlabel(plain(x.label), fontsize=_FONT)
    if x.scale != "linear":
        axes.set_xscale(x.scale)
    if y.scale != "linear":
        axes.set_yscale(y.scale)
    if x.count:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if y.share:
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20%", "40%", "60%", "80%", "100%"])


def draw_curve(axes: "Axes", curve: Curve, name: str, place: int) -> None:
    """One line in the looks of its place."""
    colour = COLOURS[place % len(COLOURS)]
    axes.plot(
        list(curve.x), list(curve.y), label=plain(name), color=colour, linewidth=1.6,
        linestyle=_DASHES[place % len(_DASHES)], marker=MARKS[place % len(MARKS)], markersize=4,
        markevery=max(1, len(curve.x) // _MARKED),
    )  # fmt: skip
    if curve.low and curve.high:
        axes.fill_between(list(curve.x), list(curve.low), list(curve.high), color=colour, alpha=0.15, linewidth=0)


def legend(figure: "Figure", names: Sequence[str]) -> None:
    """Above the panels, in as many columns as they are wide enough for."""
    column = _LETTER * max(map(len, names)) + 0.6
    columns = max(1, min(len(names), int(figure.get_figwidth() / column)))
    known = _handles(figure)
    handles = [known[plain(name)] for name in names]
    labels = [plain(name) for name in names]
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=_FONT)


def _handles(figure: "Figure") -> "dict[str, Artist]":
    """One of each label, whichever panel has it."""
    found: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        found |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in found}
    return found
