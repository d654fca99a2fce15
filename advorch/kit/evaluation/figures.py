"""Figures as PNG bytes: the same values give the same bytes, since nothing of place or time is written into them."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advorch.kit.evaluation.statistics import Proportion, error_bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Okabe and Ito's colours keep apart for colour-blind eyes too; brown in place of their yellow, which white swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8c6d1f")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_SOFT = "#59636e"
_DPI = 144
_SCREEN_DPI = 96
_FONT = 9
_LABEL = 16  # letters of a line below an axis
_LETTER = 0.075  # inches, about
_FEW_BARS = 12


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


def shown_width(picture: bytes) -> int:
    """How many pixels of a page a picture takes, so that letters have one size in all of them."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        dots = image.info.get("dpi", (_SCREEN_DPI,))[0] or _SCREEN_DPI
        return round(image.width * _SCREEN_DPI / float(dots))


def plain(text: str) -> str:
    """Text as it stands: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")


def wrapped(text: str) -> str:
    """Plain text in as few lines as fit below an axis, all about as long."""
    fewest = len(_lines(text, _LABEL))
    width = next(width for width in range(1, _LABEL + 1) if len(_lines(text, width)) <= fewest)
    return plain("\n".join(_lines(text, width)))


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def accuracy_bars(
    labels: Sequence[str], series: Mapping[str, Sequence[Proportion | None]], axis: str, height: str = "accuracy"
) -> bytes:
    """Grouped bars of accuracies with their 95% intervals; what was not measured has no bar."""
    lines = [line for label in labels for line in wrapped(label).split("\n")]
    tallest = max((wrapped(label).count("\n") for label in labels), default=0)
    room = max(0.35 * len(series), _LETTER * max(map(len, lines), default=0) + 0.15)
    figure = new_figure(width=max(4.6, 1.1 + room * len(labels)), height=3.1 + 0.16 * tallest)
    axes = _bare_axes(figure)
    width = 0.8 / max(1, len(series))
    for place, (name, values) in enumerate(series.items()):
        _bars(axes, [index + (place + 0.5) * width - 0.4 for index in range(len(labels))], values, width, name, place)
    axes.set_xticks(range(len(labels)), [wrapped(label) for label in labels])
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_ylim(0, 1.1)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20%", "40%", "60%", "80%", "100%"])
    axes.set_ylabel(height)
    axes.set_xlabel(axis)
    if len(labels) * len(series) <= _FEW_BARS:
        _name_heights(axes, series, width)
    if len(series) > 1:
        _legend(figure, list(series))
    return png(figure)


def _legend(figure: "Figure", names: Sequence[str]) -> None:
    """Above the axes, in as many columns as the figure is wide enough for."""
    column = _LETTER * max(map(len, names)) + 0.55
    columns = max(1, min(len(names), int(figure.get_figwidth() / column)))
    figure.legend(loc="outside upper center", ncols=columns, frameon=False, fontsize=_FONT)


def _bare_axes(figure: "Figure") -> "Axes":
    """Axes without a box, with pale lines at the ticks of the height."""
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="both", length=0, labelsize=_FONT, labelcolor=_SOFT)
    axes.xaxis.label.set_fontsize(_FONT)
    axes.yaxis.label.set_fontsize(_FONT)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    return axes


def _bars(
    axes: "Axes", places: Sequence[float], values: Sequence[Proportion | None], width: float, name: str, colour: int
) -> None:
    known = [(place, value) for place, value in zip(places, values, strict=True) if value is not None and value.total]
    if not known:
        return
    places, shares = [place for place, _ in known], [value for _, value in known]
    axes.bar(
        places, [share.value for share in shares], 0.92 * width, yerr=error_bars(shares), label=plain(name),
        color=COLOURS[colour % len(COLOURS)], error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#303030"},
    )  # fmt: skip


def _name_heights(axes: "Axes", series: Mapping[str, Sequence[Proportion | None]], width: float) -> None:
    for place, values in enumerate(series.values()):
        for index, value in enumerate(values):
            if value is not None and value.total:
                at = index + (place + 0.5) * width - 0.4
                height = value.interval().high + 0.015
                axes.text(at, height, f"{100 * value.value:.0f}%", ha="center", va="bottom", fontsize=_FONT - 1)


def scatter(groups: Mapping[str, Tensor]) -> bytes:
    """Points in the plane, one colour a group."""
    figure = new_figure(width=5.0, height=4.6)
    axes = figure.add_subplot()
    for place, (name, points) in enumerate(groups.items()):
        axes.scatter(
            points[:, 0].tolist(),
            points[:, 1].tolist(),
            s=4,
            alpha=0.5,
            label=plain(name),
            color=COLOURS[place % len(COLOURS)],
        )
    axes.set_aspect("equal", adjustable="datalim")
    _legend(figure, list(groups))
    return png(figure)


def is_image(shape: Sequence[int]) -> bool:
    """Whether a sample can be shown: height by width, with one or three channels before it or none."""
    flat, channels = 2, 3
    return (len(shape) == flat or (len(shape) == channels and shape[0] in (1, 3))) and min(shape[-2:]) > 1


def comparison_grid(
    clean: Tensor, changed: Tensor, titles: Sequence[str], box: tuple[float, float], attack: str = ""
) -> bytes:
    """Clean, adversarial, and their difference stretched to the full range, a column a sample."""
    low, high = box
    difference = changed - clean
    scale = difference.flatten(1).abs().amax(dim=1).clamp(min=1e-12).view(-1, *[1] * (clean.dim() - 1))
    rows = [(clean - low) / (high - low), (changed - low) / (high - low), 0.5 + 0.5 * difference / scale]
    figure = new_figure(width=max(3.0, 1.0 * len(clean)), height=3.5)
    if attack:
        figure.suptitle(plain(attack), fontsize=_FONT, color=_SOFT)
    grid = figure.subplots(3, len(clean), squeeze=False)
    for line, (name, images) in enumerate(zip(("clean", "adversarial", "difference"), rows, strict=True)):
        for column, image in enumerate(images):
            axes = grid[line][column]
            axes.imshow(pixels(image), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if line == 0:
                axes.set_title(plain(titles[column]), fontsize=_FONT - 1)
            if column == 0:
                axes.set_ylabel(name, fontsize=_FONT - 1)
            axes.spines[:].set_color("#c8ced4")
    return png(figure)


def sheet(samples: Tensor, box: tuple[float, float], columns: int = 8) -> bytes:
    """Samples side by side, in rows."""
    low, high = box
    tiles = [_framed((sample - low) / (high - low)) for sample in samples]
    tiles += [torch.ones_like(tiles[0])] * (-len(tiles) % columns)
    lines = [torch.cat(tiles[start : start + columns], dim=-1) for start in range(0, len(tiles), columns)]
    figure = new_figure(width=0.7 * columns, height=0.7 * len(lines))
    axes = figure.add_subplot()
    axes.imshow(pixels(torch.cat(lines, dim=-2)), vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    return png(figure)


def _framed(image: Tensor) -> Tensor:
    return torch.nn.functional.pad(image.detach().cpu(), (1, 1, 1, 1), value=1.0)


def pixels(image: Tensor) -> "NDArray[Any]":
    """Rows and columns, and channels where there are three."""
    flat = image.detach().to("cpu", torch.float64).clamp(0, 1)
    if flat.dim() == 3 and flat.shape[0] == 1:
        flat = flat[0]
    return flat.numpy() if flat.dim() == 2 else flat.permute(1, 2, 0).numpy()
