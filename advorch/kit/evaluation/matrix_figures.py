"""Matrices of shares as pictures: a colour and a figure in every cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from advorch.kit.evaluation.figures import new_figure, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_FONT = 9
_LETTER = 0.075  # inches, about
_SHORT = 12  # letters that stand above a column without leaning
_SOFT = "#59636e"
_MARK = "#D55E00"
_FEW_CLASSES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Shares by row and column, None where nothing was measured; cells that are marked get a frame."""

    values: Sequence[Sequence[float | None]]
    rows: Sequence[str]
    columns: Sequence[str]
    marked: Sequence[tuple[int, int]] = ()


def share_matrix(matrix: Matrix, *, across: str, down: str, mark: str = "") -> bytes:
    """Rows from above; the words say what columns, rows and framed cells are."""
    longest = max((len(name) for name in matrix.rows), default=0)
    headings = max((len(name) for name in matrix.columns), default=0)
    cell = max(0.62, _LETTER * min(headings, _SHORT) + 0.14)
    width = 1.2 + _LETTER * longest + cell * len(matrix.columns) + 0.9
    height = 1.25 + 0.42 * len(matrix.rows) + 0.05 * headings + (0.3 if mark and matrix.marked else 0)
    figure = new_figure(width=max(3.6, width), height=max(2.2, height))
    axes = figure.add_subplot()
    filled = [[float("nan") if value is None else value for value in line] for line in matrix.values]
    image = axes.imshow(filled, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    _name_axes(axes, matrix, across, down)
    _fill(axes, matrix)
    _scale(figure, axes, image)
    if mark and matrix.marked:
        from matplotlib.patches import Patch

        frame = Patch(fill=False, edgecolor=_MARK, linewidth=1.6, label=plain(mark))
        figure.legend(handles=[frame], loc="outside lower center", frameon=False, fontsize=_FONT)
    return png(figure)


def _scale(figure: "Figure", axes: "Axes", image: "AxesImage") -> None:
    """What the colours mean, beside the axes."""
    bar = figure.colorbar(image, ax=axes, ticks=[0, 0.5, 1], shrink=0.8)
    bar.ax.set_yticklabels(["0", "50%", "100%"])
    bar.ax.tick_params(length=0, labelsize=_FONT - 1)
    bar.outline.set_visible(False)


def _name_axes(axes: "Axes", matrix: Matrix, across: str, down: str) -> None:
    slanted = max((len(name) for name in matrix.columns), default=0) > _SHORT
    axes.set_xticks(
        range(len(matrix.columns)),
        [plain(name) for name in matrix.columns],
        rotation=30 if slanted else 0,
        ha="left" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.set_yticks(range(len(matrix.rows)), [plain(name) for name in matrix.rows])
    axes.tick_params(length=0, labelsize=_FONT, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(across, fontsize=_FONT, labelpad=9, color=_SOFT)
    axes.set_ylabel(down, fontsize=_FONT, labelpad=9, color=_SOFT)
    axes.spines[:].set_visible(False)


def _fill(axes: "Axes", matrix: Matrix) -> None:
    """A figure in every cell, and the frames."""
    from matplotlib.patches import Rectangle

    dark = 0.55
    for row, line in enumerate(matrix.values):
        for column, value in enumerate(line):
            if value is not None:
                colour = "white" if value > dark else "#303030"
                axes.text(column, row, f"{100 * value:.0f}%", ha="center", va="center", fontsize=_FONT, color=colour)
    for row, column in matrix.marked:
        axes.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor=_MARK, linewidth=1.6))


def heat_map(counts: Tensor, classes: Sequence[str]) -> bytes:
    """A confusion matrix, each row as shares of its true class; of a few classes also in figures, in per cent."""
    shares = counts.double() / counts.sum(dim=1, keepdim=True).clamp(min=1)
    size = max(3.6, 1.2 + 0.34 * len(classes))
    figure = new_figure(width=size + 0.9, height=size)
    axes = figure.add_subplot()
    image = axes.imshow(shares.numpy(), vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(classes)), [plain(name) for name in classes], **_slanted(classes))
    axes.set_yticks(range(len(classes)), [plain(name) for name in classes])
    axes.tick_params(length=0, labelsize=_FONT)
    axes.set_xlabel("predicted under attack", fontsize=_FONT)
    axes.set_ylabel("true class", fontsize=_FONT)
    axes.spines[:].set_visible(False)
    _scale(figure, axes, image)
    if len(classes) <= _FEW_CLASSES:
        _name_shares(axes, shares.tolist())
    return png(figure)


def _slanted(names: Sequence[str]) -> dict[str, Any]:
    short = 3
    return {"rotation": 45, "ha": "right"} if max((len(name) for name in names), default=0) > short else {}


def _name_shares(axes: "Axes", shares: list[list[float]]) -> None:
    half, least = 0.5, 0.005
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            if share >= least:
                colour = "white" if share > half else _SOFT
                axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
