"""Losses over poses as heat maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from advorch.kit.evaluation.figures import new_figure, pixels, plain, png
from advorch.kit.evaluation.panels import shown_box, unit
from advorch.threat import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FONT = 9
_ANGLE, _RIGHT, _DOWN = "angle (degrees)", "right (pixels)", "down (pixels)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """One picture, its loss at every angle, place across and place down, and where its label is wrong."""

    image: Tensor
    title: str
    loss: Tensor
    fooled: Tensor

    def planes(self) -> list[tuple[Tensor, Tensor, int, int]]:
        """The three planes through the untouched picture, with the axes that go up and across."""
        middle = [count // 2 for count in self.loss.shape]
        return [
            (values[0], values[1], up, across)
            for up, across, other in ((1, 0, 2), (2, 0, 1), (2, 1, 0))
            for values in [[_plane(whole, up, across, other, middle[other]) for whole in (self.loss, self.fooled)]]
        ]


def landscapes(shown: Sequence[Landscape], reaches: tuple[float, float, float], box: Box | None) -> bytes:
    """A row for each picture: itself, and three planes of its loss; a white line is where the label changes."""
    figure = new_figure(width=9.6, height=0.5 + 2.15 * len(shown))
    grid = figure.subplots(len(shown), 4, squeeze=False, width_ratios=[0.7, 1, 1, 1])
    figure.suptitle("Cross-entropy over poses; white line: the label changes; +: untouched", fontsize=_FONT)
    for row, item in enumerate(shown):
        _show(grid[row][0], item.image, box)
        grid[row][0].set_title(plain(item.title), fontsize=_FONT)
        low, high = float(item.loss.min()), float(item.loss.max())
        drawn: Any = None
        for axes, (loss, fooled, up, across) in zip(grid[row][1:], item.planes(), strict=True):
            drawn = _heat(axes, loss, fooled, (reaches[across], reaches[up]), (low, max(high, low + 1e-6)))
            axes.set_xlabel((_ANGLE, _RIGHT, _DOWN)[across], fontsize=_FONT - 1)
            axes.set_ylabel((_ANGLE, _RIGHT, _DOWN)[up], fontsize=_FONT - 1)
        bar = figure.colorbar(drawn, ax=grid[row][3], shrink=0.9)
        bar.ax.tick_params(length=0, labelsize=_FONT - 1)
        bar.outline.set_visible(False)
    return png(figure)


def _show(axes: "Axes", image: Tensor, box: Box | None) -> None:
    axes.imshow(pixels(unit(image, shown_box(box, image))), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    axes.set_axis_off()


def _plane(whole: Tensor, up: int, across: int, other: int, middle: int) -> Tensor:
    """Rows go up, columns across."""
    flat = whole.select(other, middle)
    return flat if up < across else flat.T


def _heat(axes: "Axes", loss: Tensor, fooled: Tensor, reach: tuple[float, float], span: tuple[float, float]) -> Any:
    across, up = reach
    half = [side * (1 + 1 / (count - 1)) for side, count in zip((up, across), loss.shape, strict=True)]
    image = axes.imshow(
        loss.cpu().double().numpy(), extent=(-half[1], half[1], -half[0], half[0]), origin="lower", aspect="auto",
        cmap="viridis", vmin=span[0], vmax=span[1],
    )  # fmt: skip
    wrong = fooled.cpu().double()
    if 0 < float(wrong.mean()) < 1:
        rows, columns = wrong.shape
        axes.contour(
            [across * (2 * place / (columns - 1) - 1) for place in range(columns)],
            [up * (2 * place / (rows - 1) - 1) for place in range(rows)],
            wrong.numpy(), levels=[0.5], colors="white", linewidths=1.3,
        )  # fmt: skip
    axes.plot([0], [0], marker="+", color="white", markersize=7, markeredgewidth=1.4)
    axes.tick_params(length=2, labelsize=_FONT - 2)
    axes.spines[:].set_visible(False)
    return image
