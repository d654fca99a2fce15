"""Images in rows and columns with words under them; what is wrong is framed and marked, not only coloured."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from advorch.kit.evaluation.figures import new_figure, pixels, plain, png
from advorch.threat import Box, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WRONG = "#D55E00"
_QUIET = "#c8ced4"
_SOFT = "#59636e"
_FONT = 9
_LETTER = 0.068  # inches of one letter, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One image in [0, 1] with a caption; `wrong` is None where there is nothing to judge."""

    image: Tensor
    caption: str = ""
    wrong: bool | None = None


def unit(image: Tensor, box: tuple[float, float]) -> Tensor:
    """The box onto [0, 1]."""
    low, high = box
    return ((image - low) / (high - low)).clamp(0, 1)


def shown_box(box: Box | None, x: Tensor) -> tuple[float, float]:
    """The range that is drawn: the data's box, or what its samples span."""
    low, high = span(box) if box else (float(x.min()), float(x.max()))
    return (low, high) if high > low else (low, low + 1)


def stretched(change: Tensor) -> Tensor:
    """A change about grey, its largest number black or white."""
    return 0.5 + 0.5 * change / change.abs().amax().clamp(min=1e-12)


def tile_grid(rows: Mapping[str, Sequence[Tile]], *, side: float = 1.0, heading: str = "", key: bool = False) -> bytes:
    """Named rows of tiles of one size, `side` inches each."""
    columns = max(len(row) for row in rows.values())
    lines = {name: max(_lines(tile.caption, side) for tile in row) for name, row in rows.items()}
    heights = [side + 0.16 * lines[name] + 0.1 for name in rows]
    named = 0.2 if any(rows) else 0.0
    figure = new_figure(
        width=max(3.2, columns * (side + 0.1) + named), height=sum(heights) + 0.3 * bool(heading or key)
    )
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for line, (name, row) in zip(grid, rows.items(), strict=True):
        for place, axes in enumerate(line):
            _tile(axes, row[place], side) if place < len(row) else axes.set_axis_off()
        line[0].set_ylabel(plain(name), fontsize=_FONT - 1, color=_SOFT)
    if heading or key:
        figure.suptitle(plain(heading), fontsize=_FONT, color=_SOFT)
    return png(figure)


def formula(rows: Sequence[Sequence[Tile]], signs: Sequence[str], names: Sequence[str], *, side: float = 2.0) -> bytes:
    """Each row an equation of images, such as x + epsilon sign = x'; names and signs, over them, may be formulas."""
    gap = 0.42
    lines = max(_lines(tile.caption, side) for row in rows for tile in row)
    height = len(rows) * (side + 0.17 * lines + 0.1) + 0.3
    figure = new_figure(width=side * (1 + len(signs) * (1 + gap)), height=height)
    ratios = [1.0, *[share for _ in signs for share in (gap, 1.0)]]
    grid = figure.subplots(len(rows), len(ratios), squeeze=False, width_ratios=ratios)
    for line, tiles in zip(grid, rows, strict=True):
        for axes, tile in zip(line[0::2], tiles, strict=True):
            _tile(axes, tile, side)
        for axes, sign in zip(line[1::2], signs, strict=True):
            axes.set_axis_off()
            axes.text(0.5, 0.5, sign, ha="center", va="center", fontsize=13, transform=axes.transAxes)
    for axes, name in zip(grid[0][0::2], names, strict=True):
        axes.set_title(name, fontsize=_FONT + 2)
    return png(figure)


def _tile(axes: "Axes", tile: Tile, side: float) -> None:
    axes.imshow(pixels(tile.image), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    frame(axes, tile.wrong)
    axes.set_xlabel(_caption(tile, side), fontsize=_FONT - 1, labelpad=2, color=WRONG if tile.wrong else "black")


def frame(axes: "Axes", wrong: bool | None) -> None:
    """Heavy and coloured about what is wrong, thin about all else."""
    axes.spines[:].set_color(WRONG if wrong else _QUIET)
    axes.spines[:].set_linewidth(2.4 if wrong else 0.8)


def _caption(tile: Tile, side: float) -> str:
    mark = "× " if tile.wrong else ""  # noqa: RUF001
    return plain(mark + "\n".join(_wrapped(tile.caption, side)))


def _wrapped(text: str, side: float) -> list[str]:
    width = max(6, int(1.15 * side / _LETTER))
    return [line for part in text.split("\n") for line in textwrap.wrap(part, width) or [""]]


def _lines(text: str, side: float) -> int:
    return len(_wrapped(text, side))
