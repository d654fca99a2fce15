"""The tables and figures of a transfer report."""

from collections.abc import Callable, Sequence
from functools import partial

from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.matrix_figures import Matrix, share_matrix
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.crossing import Crossing, groups, scale
from advorch_builtins.evaluations.wrong_labels import Agreement

_FEW = 3  # models from which on "all but one" is shorter than the list


def tables(
    found: Sequence[Crossing], together: Sequence[Agreement], names: Sequence[str], subject: Subject
) -> dict[str, Table]:
    """Accuracy first; targets only where some attack had them."""
    result = {"Transfer": _accuracies(found, names, subject)}
    if any(crossing.target is not None for crossing in found):
        result["Targets"] = _targets(found, names)
    if together:
        result["Equal wrong labels"] = _wrong_labels(together, names)
    return result


def figures(found: Sequence[Crossing], names: Sequence[str], unit: float) -> dict[str, Callable[[], bytes]]:
    """A heat map for each attack."""
    return {f"Accuracy by model: {label}": partial(_heat_map, sets, names, unit) for label, sets in groups(found)}


def made_on(crossing: Crossing, names: Sequence[str]) -> str:
    """`-LeNet` for everything but LeNet, else the models' names."""
    missing = [name for place, name in enumerate(names) if place not in crossing.made_on]
    if len(missing) == 1 and len(names) >= _FEW:
        return f"-{missing[0]}"
    return " + ".join(names[place] for place in crossing.made_on) or "elsewhere"


def _accuracies(found: Sequence[Crossing], names: Sequence[str], subject: Subject) -> Table:
    of = "RMSD of 255" if subject.data.box else "RMSD"
    rows = tuple(
        (
            crossing.set.label,
            made_on(crossing, names),
            len(crossing.y),
            _times(crossing.change_mean, scale(subject)),
            *(crossing.accuracy(place).known for place in range(len(names))),
        )
        for _, sets in groups(found)
        for crossing in sets
    )
    columns = ("attack", "made on", "samples", of, *names)
    caption = (
        "Accuracy of each model on samples made on others; -name: on all others, and without a question to it. "
        "RMSD is the root mean square change of a number, the mean over samples."
    )
    return Table(columns, rows, caption, Look(shares=frozenset(names)))


def _targets(found: Sequence[Crossing], names: Sequence[str]) -> Table:
    rows = tuple(
        (crossing.set.label, made_on(crossing, names), len(crossing.y), *_hits(crossing, len(names)))
        for crossing in found
        if crossing.target is not None
    )
    caption = "Samples that a model takes for what the attack aimed at."
    return Table(("attack", "made on", "samples", *names), rows, caption, Look(shares=frozenset(names)))


def _hits(crossing: Crossing, models: int) -> list[Value]:
    hits = [crossing.on_target(place) for place in range(models)]
    return [None if hit is None else hit.known for hit in hits]


def _wrong_labels(together: Sequence[Agreement], names: Sequence[str]) -> Table:
    rows = tuple(
        (pair.attack, names[pair.first], names[pair.second], pair.equal.total, *pair.equal.bounded, pair.expected)
        for pair in together
    )
    columns = ("attack", "model", "and", "both wrong", "equal", "low", "high", "by chance")
    caption = (
        "Of the samples that two models both get wrong, how many they take for the same class; by chance: if each "
        "chose its wrong labels by itself, as often as it does. Sets that were made on both models are left out."
    )
    look = Look(shares=frozenset({"equal", "low", "high", "by chance"}), intervals=(("equal", "low", "high"),))
    return Table(columns, rows, caption, look)


def _heat_map(sets: Sequence[Crossing], names: Sequence[str], unit: float) -> bytes:
    rows = [_row_name(crossing, names, unit) for crossing in sets]
    values = [[crossing.accuracy(place).known for place in range(len(names))] for crossing in sets]
    marked = [
        (row, place)
        for row, crossing in enumerate(sets)
        for place in range(len(names))
        if place not in crossing.made_on
    ]
    matrix = Matrix(values=values, rows=rows, columns=names, marked=marked)
    return share_matrix(matrix, across="accuracy of", down="made on (RMSD)", mark="not made on this model")


def _row_name(crossing: Crossing, names: Sequence[str], unit: float) -> str:
    change = _times(crossing.change_mean, unit)
    return made_on(crossing, names) + ("" if change is None else f" ({change:.3g})")


def _times(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit
