"""The verdicts as a grid: one row a model, one column a check."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from advorch.kit.evaluation.figures import new_figure, plain, png
from advorch_builtins.evaluations.sanity.check import Check, Result, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOK = {
    Verdict.PASS: ("#009E73", "white", "\N{CHECK MARK}"),
    Verdict.FAIL: ("#D55E00", "white", "\N{MULTIPLICATION X}"),
    Verdict.NOT_APPLICABLE: ("#e6e8eb", "#59636e", "\N{EN DASH}"),
}
_SIDE = 0.3  # inches
_LETTER = 0.07


def grid(rows: Sequence[tuple[str, Mapping[str, tuple[Check, Result]]]]) -> bytes:
    """A mark in every square; the checks that vote on masked gradients have a dot above them."""
    numbers = list(dict.fromkeys(number for _, results in rows for number in results))
    names = [plain(label) for label, _ in rows]
    width = max(5.0, _SIDE * len(numbers) + _LETTER * max(map(len, names), default=0) + 0.6)
    figure = new_figure(width=width, height=1.15 + _SIDE * len(rows))
    axes = figure.add_subplot()
    for height, (_, results) in enumerate(rows):
        for place, number in enumerate(numbers):
            _square(axes, place, height, results[number][1].verdict)
    axes.set_xlim(-0.5, len(numbers) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.95)
    axes.set_aspect("equal")
    axes.set_xticks(range(len(numbers)), [number.removeprefix("S") for number in numbers])
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    for place, number in enumerate(numbers):
        if rows[0][1][number][0].votes:
            axes.plot(place, -0.72, marker="o", markersize=3.5, color="#0072B2")
    axes.set_xlabel("check S…, those with a dot vote on masked gradients", fontsize=9)
    _legend(figure)
    return png(figure)


def _square(axes: "Axes", place: int, height: int, verdict: Verdict) -> None:
    from matplotlib.patches import Rectangle

    fill, ink, mark = _LOOK[verdict]
    axes.add_patch(Rectangle((place - 0.45, height - 0.45), 0.9, 0.9, facecolor=fill, linewidth=0))
    axes.text(place, height, mark, color=ink, ha="center", va="center", fontsize=9)


def _legend(figure: "Figure") -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=fill, label=f"{mark} {verdict.value}") for verdict, (fill, _, mark) in _LOOK.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
