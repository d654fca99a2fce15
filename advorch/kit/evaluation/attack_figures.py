"""Many attacks in one picture."""

from collections.abc import Mapping

from advorch.kit.evaluation.figures import COLOURS, MARKS, new_figure, plain, png
from advorch.kit.evaluation.statistics import Proportion, error_bars

_FONT = 9
_LINE = 0.24  # inches


def accuracy_dots(series: Mapping[str, Mapping[str, Proportion]], clean: Mapping[str, Proportion]) -> bytes:
    """A line for each attack, the weakest on top: for each model what it leaves right, with the 95% interval."""
    names = ordered(series)
    figure = new_figure(width=7.2, height=1.3 + _LINE * len(names))
    axes = figure.add_subplot()
    for place, (model, known) in enumerate(series.items()):
        colour, mark = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
        rows = [(names.index(name), share) for name, share in known.items() if share.total]
        if clean[model].total:
            axes.axvline(clean[model].value, color=colour, alpha=0.5, linewidth=1, linestyle=":")
        if not rows:
            continue
        shift = (place - (len(series) - 1) / 2) * 0.18
        values = [share.value for _, share in rows]
        errors = error_bars([share for _, share in rows])
        axes.errorbar(
            values, [row + shift for row, _ in rows], xerr=errors, fmt=mark, color=colour, markersize=4.5,
            elinewidth=1, capsize=2, label=plain(model),
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("accuracy under attack (dotted: clean)", fontsize=_FONT)
    axes.tick_params(length=0, labelsize=_FONT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="both", alpha=0.25)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=min(3, len(series)), frameon=False, fontsize=_FONT)
    return png(figure)


def ordered(series: Mapping[str, Mapping[str, Proportion]]) -> list[str]:
    """By what the attacks leave on average, most first; the order of the input where that is equal."""
    names = list(dict.fromkeys(name for known in series.values() for name in known))

    def left(name: str) -> float:
        shares = [known[name].value for known in series.values() if name in known and known[name].total]
        return sum(shares) / len(shares) if shares else 0.0

    return sorted(names, key=left, reverse=True)
