"""A search in pictures: what mattered, what it cost elsewhere, and how it went."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from advorch.kit.evaluation.curves import bare
from advorch.kit.evaluation.figures import COLOURS, new_figure, plain, png
from advorch.kit.evaluation.trials import Trial, Trials, best_so_far, front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FONT = 9
_SOFT = "#59636e"
_QUIET = "#b4bcc4"


def importance_bars(shares: Mapping[str, float], metric: str) -> bytes:
    """How much of what the objective varies each dimension accounts for."""
    figure = new_figure(width=5.4, height=1.1 + 0.34 * len(shares))
    axes = figure.add_subplot()
    bare(axes)
    names = list(shares)
    axes.barh(range(len(names)), [shares[name] for name in names], height=0.62, color=COLOURS[0])
    for place, name in enumerate(names):
        axes.text(shares[name] + 0.012, place, f"{100 * shares[name]:.0f}%", va="center", fontsize=_FONT - 1)
    axes.set_yticks(range(len(names)), [plain(name) for name in names], fontsize=_FONT)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25%", "50%", "75%", "100%"])
    axes.set_xlabel(plain(f"share of the variation of {metric}"), fontsize=_FONT)
    axes.grid(visible=False, axis="y")
    return png(figure)


def trade_off(trials: Trials, other: str, goal: str = "") -> bytes:
    """The first objective against another metric; the line joins those that none beats in both, where that is known."""
    metric, wanted = trials.objectives[0]
    both = [trial for trial in trials.done if other in trial.metrics]
    figure = new_figure(width=5.6, height=4.2)
    axes = figure.add_subplot()
    bare(axes)
    groups = {
        "can win": [trial for trial in both if trial.eligible],
        "keeps not every constraint": [trial for trial in both if not trial.eligible],
    }
    for place, (label, members) in enumerate(groups.items()):
        _dots(axes, members, other, metric, label, place)
    able = groups["can win"]
    if goal and len(able) > 1:
        _front(axes, [(trial.metrics[other], trial.metrics[metric]) for trial in able], (goal, wanted))
    for trial in trials.winners:
        if other in trial.metrics:
            _name(axes, trial, other, metric)
    axes.margins(0.08)
    axes.set_xlabel(plain(other), fontsize=_FONT)
    axes.set_ylabel(plain(metric), fontsize=_FONT)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=_FONT - 1)
    return png(figure)


def _dots(axes: "Axes", members: Sequence[Trial], x: str, y: str, label: str, place: int) -> None:
    if members:
        axes.scatter(
            [trial.metrics[x] for trial in members], [trial.metrics[y] for trial in members], s=30, zorder=3,
            marker="x" if place else "o", color=COLOURS[place], label=label, linewidth=1.2,
        )  # fmt: skip


def _front(axes: "Axes", points: Sequence[tuple[float, float]], goals: tuple[str, str]) -> None:
    chain = [points[place] for place in front(points, goals)]
    if len(chain) < 2:
        return
    axes.plot(
        [x for x, _ in chain], [y for _, y in chain], color=COLOURS[2], linewidth=1.4, linestyle=(0, (5, 2)), zorder=2,
        label="Pareto front",
    )  # fmt: skip


def _name(axes: "Axes", trial: Trial, x: str, y: str) -> None:
    axes.annotate(
        f"{trial.number}", (trial.metrics[x], trial.metrics[y]), xytext=(5, 5), textcoords="offset points",
        fontsize=_FONT - 1, fontweight="bold",
    )  # fmt: skip
    axes.scatter([trial.metrics[x]], [trial.metrics[y]], s=90, facecolor="none", edgecolor="black", zorder=4)


def best_by_trial(trials: Trials) -> bytes:
    """What each trial measured, in their order, and the best up to each; below, those that have no result."""
    metric, goal = trials.objectives[0]
    figure = new_figure(width=6.4, height=3.5)
    axes = figure.add_subplot()
    bare(axes)
    able = {trial.number: trial.metrics[metric] for trial in trials.done if trial.eligible}
    others = {trial.number: trial.metrics[metric] for trial in trials.done if not trial.eligible}
    axes.scatter(list(able), list(able.values()), s=22, color=COLOURS[0], label="trial", zorder=3)
    if others:
        axes.scatter(
            list(others), list(others.values()), s=22, marker="x", color=COLOURS[1], label="keeps not every constraint"
        )
    numbers = [trial.number for trial in trials.trials]
    line = best_so_far([able.get(number, math.nan) for number in numbers], goal)
    axes.step(numbers, line, where="post", color="black", linewidth=1.4, label="best so far")
    lost = [trial.number for trial in trials.trials if not trial.measured]
    if lost:
        bottom = axes.get_ylim()[0]
        axes.scatter(lost, [bottom] * len(lost), marker="|", s=40, color=_SOFT, label="stopped early or failed")
    _count(axes)
    axes.set_xlabel("trial", fontsize=_FONT)
    axes.set_ylabel(plain(metric), fontsize=_FONT)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=_FONT - 1)
    return png(figure)


def stopping_curves(trials: Trials) -> bytes:
    """What the scheduler looked at, step by step; a cross is where a trial was stopped, black the winner."""
    figure = new_figure(width=6.4, height=3.9)
    axes = figure.add_subplot()
    bare(axes)
    best = trials.winners[0].number if trials.winners else None
    told = [trial for trial in trials.trials if trial.reports]
    for trial in sorted(told, key=lambda trial: (trial.measured, trial.number == best)):
        steps, values = [step for step, _ in trial.reports], [value for _, value in trial.reports]
        looks = _looks(trial, best)
        axes.plot(steps, values, **looks)
        if trial.state == "pruned":
            axes.plot(steps[-1:], values[-1:], marker="X", markersize=7, color=COLOURS[1], linestyle="none",
                      label="stopped here", zorder=4)  # fmt: skip
    _count(axes)
    axes.set_xlabel(plain(trials.time), fontsize=_FONT)
    axes.set_ylabel(plain(trials.watched), fontsize=_FONT)
    _one_of_each(figure, axes)
    return png(figure)


def _looks(trial: Trial, best: int | None) -> dict[str, Any]:
    if trial.number == best:
        return {"color": "black", "linewidth": 2.2, "marker": "o", "markersize": 3, "zorder": 5, "label": "winner"}
    if trial.measured:
        return {"color": COLOURS[0], "linewidth": 1.3, "marker": "o", "markersize": 2.5, "label": "to the end"}
    return {"color": _QUIET, "linewidth": 1.2, "linestyle": (0, (4, 2)), "label": "stopped early or failed"}


def _count(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _one_of_each(figure: "Figure", axes: "Axes") -> None:
    handles, labels = axes.get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(known.values()), list(known), loc="outside upper center", ncols=4, frameon=False, fontsize=_FONT - 1
    )
