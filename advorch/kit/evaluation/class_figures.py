"""Bars class by class, a panel for each model, the lowest of each kind named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advorch.kit.evaluation.curves import bare, legend
from advorch.kit.evaluation.figures import COLOURS, new_figure, plain, png, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FONT = 9
_WORST = "///"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassBars:
    """A share for each class, with its bounds where they are known; None where there is nothing to show."""

    bars: Sequence[tuple[float | None, float | None, float | None] | None]
    average: float


def class_bars(classes: Sequence[str], panels: Mapping[str, Mapping[str, ClassBars]]) -> bytes:
    """Models one below the other; a line is the average, and the worst class is hatched and has its number."""
    kinds = list(dict.fromkeys(kind for panel in panels.values() for kind in panel))
    lines = max(wrapped(name).count("\n") + 1 for name in classes)
    figure = new_figure(width=max(5.0, 1.0 + 0.62 * len(classes)), height=0.6 + 0.16 * lines + 1.75 * len(panels))
    grid = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)
    for axes, (title, panel) in zip(grid[:, 0], panels.items(), strict=True):
        bare(axes)
        axes.grid(axis="x", visible=False)
        for kind, bars in panel.items():
            _draw(axes, bars, kind, kinds.index(kind), len(kinds))
        axes.set_title(plain(title), fontsize=_FONT, loc="left")
        axes.set_ylim(0, 1.12)
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20%", "40%", "60%", "80%", "100%"])
        axes.set_ylabel("accuracy", fontsize=_FONT)
    grid[-1][0].set_xticks(range(len(classes)), [wrapped(name) for name in classes])
    grid[-1][0].set_xlim(-0.6, len(classes) - 0.4)
    legend(figure, kinds)
    return png(figure)


def _draw(axes: "Axes", shown: ClassBars, kind: str, place: int, kinds: int) -> None:
    """Bars of one kind; error bars where bounds are known."""
    width, colour = 0.8 / kinds, COLOURS[place % len(COLOURS)]
    known = [(number, bar) for number, bar in enumerate(shown.bars) if bar is not None and bar[0] is not None]
    worst = min(known, key=lambda item: float(item[1][0] or 0.0))[0] if known else -1
    plainest = min((number for number, _ in known if number != worst), default=worst)  # the legend takes no hatch
    for number, (value, low, high) in known:
        at, top = number + (place + 0.5) * width - 0.4, float(value or 0.0)
        bounds = None if low is None or high is None else [[max(0.0, top - low)], [max(0.0, high - top)]]
        axes.bar(
            at, top, 0.92 * width, yerr=bounds, color=colour, edgecolor="white",
            label=plain(kind) if number == plainest else "_", hatch=_WORST if number == worst else None, linewidth=0.0,
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#303030"},
        )  # fmt: skip
        if number == worst:
            axes.text(at, (high or top) + 0.02, f"{100 * top:.0f}%", ha="center", va="bottom", fontsize=_FONT - 1)
    axes.axhline(shown.average, color=colour, linewidth=1.0, linestyle=(0, (4, 3)), zorder=0.5)
