"""The tables of a robustness report."""

from collections.abc import Iterator, Sequence

from advorch.kit.evaluation.findings import Table, Value
from advorch.kit.evaluation.statistics import Proportion, confusion, paired_difference
from advorch_builtins.evaluations.verdicts import Duel, Standing, worst_of

_MANY_CLASSES = 20
_ACCURACY = (
    "model", "attack", "kind", "samples", "accuracy", "low", "high", "clean accuracy", "mean distance",
    "outside", "agreement", "unconfirmed",
)  # fmt: skip
_CAPTION = (
    "Low and high are Wilson's 95% interval. Clean accuracy is that of the same samples. Distances are of the samples "
    "that were fooled. Samples outside of the ball or the box do not count as fooled. Agreement is with the "
    "predictions that the attack recorded; unconfirmed are the successes it claims and this evaluation denies."
)


def tables(found: Sequence[Standing], classes: Sequence[str]) -> dict[str, Table]:
    """Everything by name; the first is the one to read by program."""
    accuracy = Table(_ACCURACY, tuple(row for standing in found for row in _accuracy(standing)), _CAPTION)
    result = {"Accuracy": accuracy, "Accuracy by class": _by_class(found, classes)}
    if len(found) > 1:
        result["Differences"] = _differences(found)
    if len(classes) <= _MANY_CLASSES:
        attacked = [standing for standing in found if worst_of(standing.own)]
        result |= {f"Confusion under attack: {item.model.label}": _confusion(item, classes) for item in attacked}
    return result


def _accuracy(standing: Standing) -> Iterator[tuple[Value, ...]]:
    label = standing.model.label
    yield (label, "none", "clean", *_measured(Proportion(int(standing.correct.sum()), len(standing.y))), *[None] * 5)
    for duel in standing.duels:
        yield _against(standing, duel)
    for threat, duels in _by_threat(standing.own).items():
        worst = worst_of(duels)
        if worst and len(duels) > 1:
            clean = Proportion(int(standing.correct[worst.covered].sum()), worst.accuracy.total).value
            yield (label, f"all {threat}", "worst case", *_measured(worst.accuracy), clean, *[None] * 4)


def _against(standing: Standing, duel: Duel) -> tuple[Value, ...]:
    clean = Proportion(int(standing.correct[duel.covered].sum()), duel.accuracy.total)
    lengths = duel.distance[standing.fooled_by(duel)]
    mean = float(lengths.mean()) if len(lengths) else None
    # What the attack recorded is about the model that it attacked, and says nothing of others.
    claims = (_share(duel.agreement), duel.unconfirmed) if duel.own else (None, None)
    return (
        standing.model.label, _title(duel), "attack" if duel.own else "transfer",
        *_measured(duel.accuracy), _share(clean), mean, duel.outside, *claims,
    )  # fmt: skip


def _title(duel: Duel) -> str:
    return duel.set.label if duel.own else f"{duel.set.label}, made for {duel.set.samples.label}"


def _by_threat(duels: Sequence[Duel]) -> dict[str, list[Duel]]:
    """Attacks by ball, and all of them together if there are several balls."""
    threats = list(dict.fromkeys(duel.set.threat for duel in duels))
    groups = {threat: [duel for duel in duels if duel.set.threat == threat] for threat in threats}
    return groups | {"attacks": list(duels)} if len(groups) > 1 else groups


def _by_class(found: Sequence[Standing], classes: Sequence[str]) -> Table:
    columns = (
        "model", "class", "samples", "clean accuracy", "clean low", "clean high",
        "attacked", "robust accuracy", "robust low", "robust high",
    )  # fmt: skip
    rows = tuple(row for standing in found for row in _class_rows(standing, classes))
    return Table(columns, rows, "Robust accuracy is the worst case over the attacks that were made for the model.")


def _class_rows(standing: Standing, classes: Sequence[str]) -> Iterator[tuple[Value, ...]]:
    worst = worst_of(standing.own)
    clean = standing.by_class(standing.correct, standing.everywhere)
    robust = standing.by_class(worst.withstood, worst.covered) if worst else [Proportion(0, 0)] * len(classes)
    for name, before, after in zip(classes, clean, robust, strict=True):
        yield (standing.model.label, name, *_measured(before), *_measured(after))


def _differences(found: Sequence[Standing]) -> Table:
    """Every later model against the first, on the samples that both were measured on."""
    rows = tuple(row for standing in found[1:] for row in _difference_rows(found[0], standing))
    columns = ("model", "against", "accuracy", "samples", "difference", "low", "high")
    return Table(columns, rows, "Paired differences with Bonett and Price's 95% interval.")


def _difference_rows(base: Standing, other: Standing) -> Iterator[tuple[Value, ...]]:
    names = (other.model.label, base.model.label)
    difference, interval = paired_difference(other.correct, base.correct)
    yield (*names, "clean", len(base.y), difference, interval.low, interval.high)
    first, second = worst_of(base.own), worst_of(other.own)
    if first and second and (both := first.covered & second.covered).any():
        difference, interval = paired_difference(second.withstood[both], first.withstood[both])
        yield (*names, "worst case", int(both.sum()), difference, interval.low, interval.high)


def _confusion(standing: Standing, classes: Sequence[str]) -> Table:
    worst = worst_of(standing.own)
    among = worst.covered if worst else standing.everywhere
    counts = confusion(standing.y[among], standing.under_attack()[among], len(classes))
    rows = tuple((name, *line) for name, line in zip(classes, counts.tolist(), strict=True))
    return Table(("true class", *classes), rows, "Samples by true class (row) and by prediction under attack (column).")


def _measured(accuracy: Proportion) -> tuple[Value, ...]:
    if not accuracy.total:
        return (0, None, None, None)
    interval = accuracy.interval()
    return (accuracy.total, accuracy.value, interval.low, interval.high)


def _share(share: Proportion) -> float | None:
    return share.value if share.total else None
