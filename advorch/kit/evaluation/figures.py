"""Figures as PNG bytes: the same values give the same bytes, since nothing of place or time is written into them."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from advorch.kit.evaluation.statistics import Proportion

# Okabe and Ito's colours keep apart for colour-blind eyes too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
_DPI = 110
_WIDE = 45


def new_figure(width: float = 7.0, height: float = 3.6) -> "Figure":
    """A figure of its own, outside of pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """The bytes of a figure, without the software's name and version."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def plain(text: str) -> str:
    """Text as it stands: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")


def accuracy_bars(labels: Sequence[str], series: Mapping[str, Sequence["Proportion | None"]], axis: str) -> bytes:
    """Grouped bars of accuracies with their 95% intervals; what was not measured has no bar."""
    figure = new_figure(width=max(5.0, 1.5 + 0.35 * len(labels) * len(series)))
    axes = figure.add_subplot()
    width = 0.8 / max(1, len(series))
    for place, (name, values) in enumerate(series.items()):
        _bars(axes, [index + (place + 0.5) * width - 0.4 for index in range(len(labels))], values, width, name, place)
    axes.set_xticks(range(len(labels)), [plain(label) for label in labels])
    if sum(len(label) for label in labels) > _WIDE:
        axes.tick_params(axis="x", rotation=30)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy")
    axes.set_xlabel(axis)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if len(series) > 1:
        figure.legend(loc="outside upper center", ncols=min(4, len(series)), frameon=False)
    return png(figure)


def _bars(
    axes: "Axes", places: Sequence[float], values: Sequence["Proportion | None"], width: float, name: str, colour: int
) -> None:
    known = [(place, value) for place, value in zip(places, values, strict=True) if value is not None and value.total]
    if not known:
        return
    heights = [value.value for _, value in known]
    intervals = [value.interval() for _, value in known]
    errors = [
        [max(0.0, height - interval.low) for height, interval in zip(heights, intervals, strict=True)],
        [max(0.0, interval.high - height) for height, interval in zip(heights, intervals, strict=True)],
    ]
    axes.bar(
        [place for place, _ in known], heights, width, yerr=errors, label=plain(name),
        color=_COLOURS[colour % len(_COLOURS)], error_kw={"elinewidth": 1, "capsize": 2},
    )  # fmt: skip


def heat_map(counts: Tensor, classes: Sequence[str]) -> bytes:
    """A confusion matrix, each row as shares of its true class."""
    shares = counts.double() / counts.sum(dim=1, keepdim=True).clamp(min=1)
    size = max(4.0, 1.5 + 0.4 * len(classes))
    figure = new_figure(width=size + 1, height=size)
    axes = figure.add_subplot()
    image = axes.imshow(shares.numpy(), vmin=0, vmax=1, cmap="cividis")
    axes.set_xticks(range(len(classes)), [plain(name) for name in classes], rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), [plain(name) for name in classes])
    axes.set_xlabel("predicted under attack")
    axes.set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="share of the true class")
    return png(figure)


def scatter(groups: Mapping[str, Tensor]) -> bytes:
    """Points in the plane, one colour a group."""
    figure = new_figure(width=5.0, height=4.6)
    axes = figure.add_subplot()
    for place, (name, points) in enumerate(groups.items()):
        axes.scatter(
            points[:, 0].tolist(), points[:, 1].tolist(), s=4, alpha=0.5, label=plain(name), color=_COLOURS[place]
        )
    axes.set_aspect("equal", adjustable="datalim")
    figure.legend(loc="outside upper center", ncols=len(groups), frameon=False)
    return png(figure)


def is_image(shape: Sequence[int]) -> bool:
    """Whether a sample can be shown: height by width, with one or three channels before it or none."""
    flat, channels = 2, 3
    return (len(shape) == flat or (len(shape) == channels and shape[0] in (1, 3))) and min(shape[-2:]) > 1


def comparison_grid(clean: Tensor, changed: Tensor, titles: Sequence[str], box: tuple[float, float]) -> bytes:
    """Clean, adversarial, and their difference stretched to the full range, a column a sample."""
    low, high = box
    difference = changed - clean
    scale = difference.flatten(1).abs().amax(dim=1).clamp(min=1e-12).view(-1, *[1] * (clean.dim() - 1))
    rows = [(clean - low) / (high - low), (changed - low) / (high - low), 0.5 + 0.5 * difference / scale]
    figure = new_figure(width=max(3.0, 1.1 * len(clean)), height=3.8)
    grid = figure.subplots(3, len(clean), squeeze=False)
    for line, (name, images) in enumerate(zip(("clean", "adversarial", "difference"), rows, strict=True)):
        for column, image in enumerate(images):
            axes = grid[line][column]
            axes.imshow(_pixels(image), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if line == 0:
                axes.set_title(plain(titles[column]), fontsize=7)
            if column == 0:
                axes.set_ylabel(name, fontsize=8)
    return png(figure)


def sheet(samples: Tensor, box: tuple[float, float], columns: int = 8) -> bytes:
    """Samples side by side, in rows."""
    low, high = box
    tiles = [_framed((sample - low) / (high - low)) for sample in samples]
    tiles += [torch.ones_like(tiles[0])] * (-len(tiles) % columns)
    lines = [torch.cat(tiles[start : start + columns], dim=-1) for start in range(0, len(tiles), columns)]
    figure = new_figure(width=0.7 * columns, height=0.7 * len(lines))
    axes = figure.add_subplot()
    axes.imshow(_pixels(torch.cat(lines, dim=-2)), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    return png(figure)


def _framed(image: Tensor) -> Tensor:
    return torch.nn.functional.pad(image.detach().cpu(), (1, 1, 1, 1), value=1.0)


def _pixels(image: Tensor) -> "NDArray[Any]":
    flat = image.detach().to("cpu", torch.float64).clamp(0, 1)
    if flat.dim() == 3 and flat.shape[0] == 1:
        flat = flat[0]
    return flat.numpy() if flat.dim() == 2 else flat.permute(1, 2, 0).numpy()
