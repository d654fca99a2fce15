"""The figures of a robustness report."""

from collections.abc import Callable, Sequence
from functools import partial

from advorch.api import span
from advorch.kit.data import Data
from advorch.kit.evaluation import figures as draw
from advorch.kit.evaluation import matrix_figures
from advorch.kit.evaluation.statistics import Proportion, confusion, proportion
from advorch_builtins.evaluations.robustness_curves import compared_figure, curve_figure, norms_of
from advorch_builtins.evaluations.verdicts import Standing, worst_of

_MANY_CLASSES = 50


def figures(found: Sequence[Standing], data: Data, examples: int) -> dict[str, Callable[[], bytes]]:
    """Everything by title, drawn when it is asked for."""
    result: dict[str, Callable[[], bytes]] = {"Clean and robust accuracy": partial(_clean_and_robust, found)}
    if any(standing.duels for standing in found):
        result["Accuracy by attack"] = partial(_by_attack, found)
    for norm in norms_of(found):
        result[f"Accuracy against epsilon in {norm}"] = partial(curve_figure, found, norm)
        if len(found) > 1:
            result[f"Models against epsilon in {norm}"] = partial(compared_figure, found, norm)
    for standing in found:
        label = standing.model.label
        if len(data.classes) <= _MANY_CLASSES:
            result[f"Accuracy by class: {label}"] = partial(_by_class, standing, data.classes)
        if worst_of(standing.own) and len(data.classes) <= _MANY_CLASSES:
            result[f"Confusion under attack: {label}"] = partial(_confusion, standing, data.classes)
        if draw.is_image(data.x.shape[1:]) and standing.own:
            result[f"Adversarial samples: {label}"] = partial(_samples, standing, data, examples)
    return result


def _clean_and_robust(found: Sequence[Standing]) -> bytes:
    clean = [proportion(standing.correct) for standing in found]
    worst = [case.accuracy if (case := worst_of(standing.own)) else None for standing in found]
    series: dict[str, Sequence[Proportion | None]] = {"clean": clean}
    if any(worst):
        series["worst case over attacks"] = worst
    return draw.accuracy_bars([standing.model.label for standing in found], series, "model")


def _by_attack(found: Sequence[Standing]) -> bytes:
    """Attacks that were made for the model; transferred sets are in the table."""
    labels = list(dict.fromkeys(duel.set.label for standing in found for duel in standing.own))
    series: dict[str, list[Proportion | None]] = {}
    for standing in found:
        known = {duel.set.label: duel.accuracy for duel in standing.own}
        series[standing.model.label] = [known.get(label) for label in labels]
    return draw.accuracy_bars(labels, series, "attack")


def _by_class(standing: Standing, classes: Sequence[str]) -> bytes:
    worst = worst_of(standing.own)
    series: dict[str, Sequence[Proportion | None]] = {"clean": standing.by_class(standing.correct, standing.everywhere)}
    if worst:
        series["worst case over attacks"] = standing.by_class(worst.withstood, worst.covered)
    return draw.accuracy_bars(list(classes), series, "class")


def _confusion(standing: Standing, classes: Sequence[str]) -> bytes:
    worst = worst_of(standing.own)
    among = worst.covered if worst else standing.everywhere
    return matrix_figures.heat_map(confusion(standing.y[among], standing.under_attack()[among], len(classes)), classes)


def _samples(standing: Standing, data: Data, examples: int) -> bytes:
    """The first samples that the strongest attack fooled, else the first that it tried."""
    duel = max(standing.own, key=lambda own: int(standing.fooled_by(own).sum()))
    fooled = standing.fooled_by(duel)
    chosen = (fooled if fooled.any() else duel.covered).nonzero().flatten()[:examples]
    clean, changed = data.x[chosen], duel.set.samples.adversarial[duel.position[chosen]]
    before, after = standing.clean[chosen].tolist(), duel.predicted[chosen].tolist()
    titles = [f"{data.classes[first]} → {data.classes[second]}" for first, second in zip(before, after, strict=True)]
    box = span(data.box) if data.box else (float(clean.min()), float(clean.max()))
    return draw.comparison_grid(clean, changed, titles, box, duel.set.label)
