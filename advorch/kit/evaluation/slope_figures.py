"""How steep networks are at samples: histograms of gradient norms."""

from collections.abc import Mapping

import torch
from torch import Tensor

from advorch.kit.evaluation.curves import bare
from advorch.kit.evaluation.figures import COLOURS, new_figure, plain, png

_BINS = 40
_LEAST = 1e-12


def slope_histograms(slopes: Mapping[str, Tensor], bounds: Mapping[str, float]) -> bytes:
    """One line a network on a common, logarithmic scale; a dashed line is the bound that no slope can pass."""
    found = {name: values.double().clamp(min=_LEAST).log10() for name, values in slopes.items()}
    low, high = _ends(list(found.values()))
    figure = new_figure(width=7.0, height=3.6)
    axes = figure.add_subplot()
    bare(axes)
    edges = torch.linspace(low, high, _BINS + 1, dtype=torch.float64)
    for place, (name, values) in enumerate(found.items()):
        shares = torch.histogram(values, edges).hist / len(values)
        colour = COLOURS[place % len(COLOURS)]
        axes.stairs(
            shares.tolist(), (10**edges).tolist(), color=colour, linewidth=1.6, label=plain(name), baseline=None,
            linestyle=("-", "--", ":", "-.")[place % 4],
        )  # fmt: skip
        if name in bounds:
            axes.axvline(bounds[name], color=colour, linestyle=(0, (4, 3)), linewidth=1.0)
    axes.set_xscale("log")
    axes.set_xlabel("norm of the Jacobian at a sample, l2; dashed, where there is one: the bound by layers", fontsize=9)
    axes.set_ylabel("share of samples", fontsize=9)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return png(figure)


def _ends(values: list[Tensor]) -> tuple[float, float]:
    joined = torch.cat(values)
    low, high = float(joined.min()), float(joined.max())
    return (low - 0.05, high + 0.05) if high - low < 0.1 else (low, high)
