"""What a discriminator makes of numbers on a line."""

import torch
from torch import Tensor, nn

from advorch.kit.evaluation.figures import COLOURS, new_figure, png

_POINTS = 200


def densities(real: Tensor, drawn: Tensor, network: nn.Module) -> bytes:
    """Both densities as histograms; the discriminator as it was learnt, and the best one, p / (p + q), from them."""
    low, high = (float(torch.cat([real, drawn]).flatten().quantile(share)) for share in (0.001, 0.999))
    bins = 40
    edges = torch.linspace(low, high if high > low else low + 1, bins + 1)
    p, q = (torch.histogram(x.flatten().float().cpu(), edges, density=True).hist for x in (real, drawn))
    figure = new_figure(width=6.4, height=3.8)
    axes = figure.add_subplot()
    for heights, label, colour in ((p, "data", COLOURS[0]), (q, "generated", COLOURS[1])):
        axes.stairs(heights.tolist(), edges.tolist(), fill=True, alpha=0.3, color=colour, label=f"density of {label}")
    axes.set_ylabel("density", fontsize=9)
    beside = axes.twinx()
    x = torch.linspace(low, float(edges[-1]), _POINTS)
    with torch.no_grad():
        learnt = torch.sigmoid(network(x[:, None]))
    beside.plot(x.tolist(), learnt.tolist(), color="#202020", linewidth=1.6, label="D, learnt")
    middle = (edges[1:] + edges[:-1]) / 2
    seen = (p + q) > 0
    best = (p / (p + q))[seen]
    beside.plot(
        middle[seen].tolist(), best.tolist(), color=COLOURS[2], linestyle="none", marker="D", markersize=3,
        label="p / (p + q), from the histograms",
    )  # fmt: skip
    beside.set_ylim(-0.02, 1.02)
    beside.set_ylabel("discriminator", fontsize=9)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return png(figure)
