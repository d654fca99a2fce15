"""Samples over the course of games: a row for each generator, a column for each moment."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from advorch.kit.evaluation.figures import COLOURS, new_figure, pixels, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDE = 1.15  # inches of a panel
_FONT = 8
_MARGIN = 1.3  # room about the data, where samples may stray and still be seen
_PICTURES = 16


def points_by_moment(rows: Mapping[str, Sequence[tuple[int, Tensor]]], data: Tensor) -> bytes:
    """Points of the plane over those of the data; every panel has the data's range."""
    reach = float(data.abs().max()) * _MARGIN

    def show(axes: "Axes", samples: Tensor) -> None:
        axes.scatter(data[:, 0].tolist(), data[:, 1].tolist(), s=1, color="#c9ced6")
        axes.scatter(samples[:, 0].tolist(), samples[:, 1].tolist(), s=1.5, color=COLOURS[1], alpha=0.6)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach))

    return png(_panels(rows, show))


def pictures_by_moment(rows: Mapping[str, Sequence[tuple[int, Tensor]]], box: tuple[float, float]) -> bytes:
    """The same few pictures at every moment, four by four."""

    def show(axes: "Axes", samples: Tensor) -> None:
        low, high = box
        shown = nn.functional.pad(((samples[:_PICTURES] - low) / (high - low)).clamp(0, 1), (0, 1, 0, 1), value=1.0)
        image = pixels(_tiled(shown))
        axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")

    return png(_panels(rows, show))


def _tiled(pictures: Tensor) -> Tensor:
    """Pictures as one, four in a line, with a white line between them."""
    columns = 4
    lines = [pictures[start : start + columns] for start in range(0, len(pictures) // columns * columns, columns)]
    return torch.cat([torch.cat(list(line), dim=-1) for line in lines], dim=-2)


def _panels(rows: Mapping[str, Sequence[tuple[int, Tensor]]], show: Callable[["Axes", Tensor], None]) -> "Figure":
    wide = max(len(moments) for moments in rows.values())
    figure = new_figure(width=0.5 + _SIDE * wide, height=0.25 + _SIDE * 1.08 * len(rows))
    for line, (name, moments) in enumerate(rows.items()):
        for column, (step, samples) in enumerate(moments):
            axes = figure.add_subplot(len(rows), wide, line * wide + column + 1)
            show(axes, samples)
            axes.set(xticks=[], yticks=[])
            axes.set_box_aspect(1)
            axes.set_title(f"{step:,}", fontsize=_FONT, pad=2)
            if not column:
                axes.set_ylabel(plain(name), fontsize=_FONT)
    return figure
