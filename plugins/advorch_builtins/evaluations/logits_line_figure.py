"""Logits of every class over epsilon, and below them the inputs, those that are classified right in a frame."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.curves import bare
from advorch.kit.evaluation.figures import COLOURS, new_figure, pixels, plain, png
from advorch.kit.evaluation.panels import shown_box, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RIGHT = "#E69F00"
_FONT = 9
_NAMED = 12  # classes with a line of their own in the legend
_OTHERS = COLOURS[:6]
_DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)))


def draw(line: Tensor, steps: Tensor, data: Data, row: int, strip: Mapping[float, Tensor]) -> bytes:
    """One sample under one model."""
    label = int(data.y[row])
    figure = new_figure(width=8.4, height=5.4 if strip else 4.2)
    grid = figure.add_gridspec(2, 1, height_ratios=[4.0, 1.0]) if strip else figure.add_gridspec(1, 1)
    axes = figure.add_subplot(grid[0])
    bare(axes)
    _lines(axes, line, steps, data, label)
    _wins(axes, line, steps, label)
    axes.set_xlabel(r"$\epsilon$ in $x + \epsilon\,$sign$(\nabla_x J(x, y))$", fontsize=_FONT)
    axes.set_ylabel("argument of the softmax", fontsize=_FONT)
    axes.set_xlim(float(steps[0]), float(steps[-1]))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=_FONT)
    if strip:
        inner = grid[1].subgridspec(1, len(strip), wspace=0.05)
        seen = {epsilon: int(line[int((steps - epsilon).abs().argmin())].argmax()) for epsilon in strip}
        for column, (epsilon, image) in enumerate(strip.items()):
            _input(figure.add_subplot(inner[column]), image, epsilon, seen[epsilon], data, label)
    return png(figure)


def _lines(axes: "Axes", line: Tensor, steps: Tensor, data: Data, label: int) -> None:
    """The true class heavy; of many classes only those that win somewhere have a name."""
    winners = set(line.argmax(1).tolist()) | {label}
    few = len(data.classes) <= _NAMED
    for place, name in enumerate(data.classes):
        if not few and place not in winners:
            continue
        looks: dict[str, Any]
        if place == label:
            looks = {"color": "black", "linewidth": 2.6, "zorder": 3, "label": f"{plain(name)} (true)"}
        else:
            dash = _DASHES[place // len(_OTHERS) % len(_DASHES)]
            looks = {"color": _OTHERS[place % len(_OTHERS)], "linewidth": 1.2, "linestyle": dash, "label": plain(name)}
        axes.plot(steps.tolist(), line[:, place].tolist(), **looks)
    axes.axvline(0, color="#59636e", linewidth=0.8, linestyle=(0, (2, 2)))


def _wins(axes: "Axes", line: Tensor, steps: Tensor, label: int) -> None:
    """Where the true class wins, behind everything."""
    right = (line.argmax(1) == label).tolist()
    axes.fill_between(
        steps.tolist(), 0, 1, where=right, transform=axes.get_xaxis_transform(), color=_RIGHT, alpha=0.18, linewidth=0,
        label="classified right",
    )  # fmt: skip


def _input(axes: "Axes", image: Tensor, epsilon: float, seen: int, data: Data, label: int) -> None:
    """One point of the line as an image; right ones in a heavy frame, and said to be right."""
    axes.imshow(pixels(unit(image, shown_box(data.box, data.x))), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(_RIGHT if seen == label else "#c8ced4")
    axes.spines[:].set_linewidth(3.0 if seen == label else 0.6)
    words = f"{epsilon:.2g}\n{plain(data.classes[seen])}{' (right)' if seen == label else ''}"
    axes.set_xlabel(words, fontsize=_FONT - 2)
