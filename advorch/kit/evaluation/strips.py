"""Every value of several groups as a dot, with each group's mean and how far it can be trusted."""

from collections.abc import Mapping

import torch
from torch import Tensor

from advorch.kit.evaluation.curves import bare
from advorch.kit.evaluation.figures import COLOURS, MARKS, new_figure, plain, png
from advorch.kit.evaluation.statistics import mean_interval

_FONT = 9
_WIDE = 0.6  # of a group's place


def strips(groups: Mapping[str, Tensor], label: str) -> bytes:
    """Shares, one row a group; dots of a group lie in their order from top to bottom, the bar is its mean."""
    figure = new_figure(width=7.0, height=0.9 + 0.55 * len(groups))
    axes = figure.add_subplot()
    bare(axes)
    for place, (_, values) in enumerate(groups.items()):
        colour = COLOURS[place % len(COLOURS)]
        height = place + _WIDE * (torch.linspace(-0.5, 0.5, len(values)) if len(values) > 1 else torch.zeros(1))
        mark = MARKS[place % len(MARKS)]
        axes.scatter(values.tolist(), height.tolist(), s=9, alpha=0.6, color=colour, marker=mark, linewidths=0)
        middle, bounds = mean_interval(values.tolist())
        axes.plot([middle] * 2, [place - 0.42, place + 0.42], color="#202020", linewidth=1.8)
        if bounds:
            box = [place - 0.36, place + 0.36]
            axes.fill_betweenx(box, bounds.low, bounds.high, color=colour, alpha=0.25, linewidth=0)
    axes.set_yticks(range(len(groups)), [plain(name) for name in groups], fontsize=_FONT)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    axes.set_xlim(left=min(0.0, *(float(values.min()) for values in groups.values())) - 0.005)
    axes.set_xlabel(f"{label}; bar: mean, box: its 95% interval", fontsize=_FONT)
    return png(figure)
