"""Codes in the plane by class, beside the law that they should follow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advorch.kit.evaluation.figures import COLOURS, MARKS, new_figure, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FONT = 9
_MOST = 2500


def code_plot(codes: Tensor, y: Tensor, prior: Tensor, classes: Sequence[str]) -> bytes:
    """Left the codes of data, coloured and marked by class, each named at its middle; right draws from the prior."""
    codes, prior, words = _plane(codes[:_MOST], prior[:_MOST])
    y = y[:_MOST]
    figure = new_figure(width=8.6, height=4.5)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for label, name in enumerate(classes):
        own = codes[y == label]
        if len(own):
            _cloud(left, own, label)
            middle = own.median(0).values.tolist()
            left.text(
                *middle, plain(name), fontsize=_FONT, ha="center", va="center",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": _colour(label), "alpha": 0.85},
            )  # fmt: skip
    right.scatter(prior[:, 0].tolist(), prior[:, 1].tolist(), s=4, color="#59636e", alpha=0.5, linewidths=0)
    left.set_title(f"codes of {len(codes):,} held-out samples{words}", fontsize=_FONT)
    right.set_title(f"{len(prior):,} draws from the prior", fontsize=_FONT)
    for axes in (left, right):
        axes.set_aspect("equal", adjustable="box")
        axes.tick_params(labelsize=_FONT - 1)
    return png(figure)


def _cloud(axes: "Axes", points: Tensor, label: int) -> None:
    axes.scatter(
        points[:, 0].tolist(), points[:, 1].tolist(), s=9, alpha=0.6, linewidths=0, color=_colour(label),
        marker=MARKS[(label + label // len(COLOURS)) % len(MARKS)],
    )  # fmt: skip


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)]


def _plane(codes: Tensor, prior: Tensor) -> tuple[Tensor, Tensor, str]:
    """As they are, or along the two directions in which the codes vary most."""
    if codes.shape[1] == 1:
        flat = torch.zeros(len(codes), 1), torch.zeros(len(prior), 1)
        return torch.cat([codes, flat[0]], 1), torch.cat([prior, flat[1]], 1), ""
    if codes.shape[1] == 2:
        return codes, prior, ""
    middle = codes.mean(0)
    _, _, axes = torch.linalg.svd(codes - middle, full_matrices=False)
    return (codes - middle) @ axes[:2].T, (prior - middle) @ axes[:2].T, ", their two main directions"
