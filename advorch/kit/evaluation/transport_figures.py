"""A plan of transport in the plane."""

from torch import Tensor

from advorch.kit.evaluation.figures import COLOURS, new_figure, plain, png
from advorch.kit.evaluation.transport import plan


def arrows(first: Tensor, second: Tensor) -> bytes:
    """Where the best plan moves each of a few generated samples."""
    size = min(len(first), len(second))
    one, other = first[:size].flatten(1), second[:size].flatten(1)
    moved = other[plan(one, other)]
    figure = new_figure(width=5.0, height=4.6)
    axes = figure.add_subplot()
    for start, end in zip(one.tolist(), moved.tolist(), strict=True):
        axes.plot([start[0], end[0]], [start[1], end[1]], color="#8a929b", linewidth=0.8, zorder=1)
    for points, label, colour, mark in ((one, "generated", COLOURS[1], "s"), (other, "data", COLOURS[0], "o")):
        axes.scatter(points[:, 0].tolist(), points[:, 1].tolist(), s=14, color=colour, marker=mark, label=plain(label))
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_title(f"the cheapest way to move {size} samples onto as many of the data", fontsize=9)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return png(figure)
