"""The tables of a robustness report."""

from collections.abc import Iterator, Mapping, Sequence

from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.statistics import Proportion, confusion, paired_difference, worst_class
from advorch_builtins.evaluations.verdicts import Duel, Standing, worst_of

_MANY_CLASSES = 20
_CLEAN = ("model", "samples", "clean accuracy", "clean low", "clean high")
_ROBUST = (
    "robust accuracy", "robust low", "robust high", "attacked", "attacks", "threat",
    "worst class", "worst class accuracy", "worst class low", "worst class high",
)  # fmt: skip
_SUMMARY_CAPTION = (
    "Robust: right, and still right under every attack that was made for the model; sample by sample the worst case. "
    "The worst class is the one that this leaves least of. Beside each share stands its 95% interval (Wilson)."
)
_ACCURACY = (
    "model", "attack", "kind", "samples", "accuracy", "low", "high", "clean accuracy", "mean distance",
    "outside", "agreement", "unconfirmed",
)  # fmt: skip
_ACCURACY_CAPTION = (
    "Clean accuracy is that of the same samples. Distances are of the samples that were fooled. A sample outside of "
    "the ball or the box fools nobody. Agreement is with the predictions that the attack recorded; unconfirmed are "
    "successes that it claims and this evaluation denies. What is nowhere to be reported has no column."
)
_TRANSFER_CAPTION = "Samples that were made for another model, shown to this one."


def tables(found: Sequence[Standing], classes: Sequence[str]) -> dict[str, Table]:
    """Everything by name; the first has a row a model."""
    result = {"Summary": _summary(found, classes), "Accuracy by attack": _by_attack(found)}
    if any(len(standing.own) < len(standing.duels) for standing in found):
        result["Transfer"] = _transfer(found)
    if len(found) > 1:
        result["Differences"] = _differences(found)
    result["Accuracy by class"] = _by_class(found, classes)
    if len(classes) <= _MANY_CLASSES:
        attacked = [standing for standing in found if worst_of(standing.own)]
        result |= {f"Confusion under attack: {item.model.label}": _confusion(item, classes) for item in attacked}
    return result


def _summary(found: Sequence[Standing], classes: Sequence[str]) -> Table:
    attacked = any(standing.own for standing in found)
    rows = tuple((*_clean_summary(item), *(_robust_summary(item, classes) if attacked else ())) for item in found)
    looks = ["clean", "robust", "worst class"] if attacked else ["clean"]
    intervals = tuple((_accuracy_of(name), f"{name} low", f"{name} high") for name in looks)
    whole = (("attacked", len(found[0].y)),) if attacked else ()
    look = Look(shares=_all_of(intervals), intervals=intervals, usual=whole)
    caption = _SUMMARY_CAPTION if attacked else "Beside each share stands its 95% interval (Wilson)."
    return Table((*_CLEAN, *_ROBUST) if attacked else _CLEAN, rows, caption, look)


def _accuracy_of(name: str) -> str:
    return f"{name} accuracy"


def _all_of(intervals: Sequence[tuple[str, str, str]]) -> frozenset[str]:
    return frozenset(name for names in intervals for name in names)


def _clean_summary(standing: Standing) -> tuple[Value, ...]:
    return (standing.model.label, *_measured(Proportion(int(standing.correct.sum()), len(standing.y))))


def _robust_summary(standing: Standing, classes: Sequence[str]) -> tuple[Value, ...]:
    worst = worst_of(standing.own)
    threats = list(dict.fromkeys(duel.set.threat for duel in standing.own))
    if worst is None:
        return (None, None, None, 0, len(standing.own), ", ".join(threats) or None, *[None] * 4)
    by_class = standing.by_class(worst.withstood, worst.covered)
    weakest = worst_class(by_class)
    hardest = [None] * 4 if weakest is None else [classes[weakest], *_measured(by_class[weakest])[1:]]
    robust = _measured(worst.accuracy)
    return (*robust[1:], robust[0], len(standing.own), ", ".join(threats), *hardest)


def _by_attack(found: Sequence[Standing]) -> Table:
    look = Look(
        shares=frozenset({"accuracy", "low", "high", "clean accuracy", "agreement"}),
        intervals=(("accuracy", "low", "high"),),
        usual=(("outside", 0), ("agreement", 1.0), ("unconfirmed", 0)),
    )
    return Table(_ACCURACY, tuple(row for standing in found for row in _accuracy(standing)), _ACCURACY_CAPTION, look)


def _transfer(found: Sequence[Standing]) -> Table:
    columns = ("model", "attack", "made for", "samples", "accuracy", "low", "high", "clean accuracy")
    labels = {standing.model.digest: standing.model.label for standing in found}
    rows = tuple(row for standing in found for row in _transferred(standing, labels))
    shares = frozenset({"accuracy", "low", "high", "clean accuracy"})
    look = Look(shares=shares, intervals=(("accuracy", "low", "high"),))
    return Table(columns, rows, _TRANSFER_CAPTION, look)


def _transferred(standing: Standing, labels: Mapping[str, str]) -> Iterator[tuple[Value, ...]]:
    for duel in (duel for duel in standing.duels if not duel.own):
        samples = duel.set.samples
        names = (standing.model.label, duel.set.label, labels.get(samples.model, samples.label))
        yield (*names, *_measured(duel.accuracy), _share(_clean_of(standing, duel)))


def _clean_of(standing: Standing, duel: Duel) -> Proportion:
    return Proportion(int(standing.correct[duel.covered].sum()), duel.accuracy.total)


def _accuracy(standing: Standing) -> Iterator[tuple[Value, ...]]:
    label = standing.model.label
    yield (label, "none", "clean", *_measured(Proportion(int(standing.correct.sum()), len(standing.y))), *[None] * 5)
    for duel in standing.own:
        yield _against(standing, duel)
    for threat, duels in _by_threat(standing.own).items():
        worst = worst_of(duels)
        if worst and len(duels) > 1:
            clean = Proportion(int(standing.correct[worst.covered].sum()), worst.accuracy.total).value
            yield (label, f"all {threat}", "worst case", *_measured(worst.accuracy), clean, *[None] * 4)


def _against(standing: Standing, duel: Duel) -> tuple[Value, ...]:
    lengths = duel.distance[standing.fooled_by(duel)]
    mean = float(lengths.mean()) if len(lengths) else None
    return (
        standing.model.label, duel.set.label, "attack", *_measured(duel.accuracy), _share(_clean_of(standing, duel)),
        mean, duel.outside, _share(duel.agreement), duel.unconfirmed,
    )  # fmt: skip


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
    intervals = tuple((_accuracy_of(name), f"{name} low", f"{name} high") for name in ("clean", "robust"))
    look = Look(shares=_all_of(intervals), intervals=intervals, folded=True)
    caption = "Robust accuracy is the worst case over the attacks that were made for the model."
    return Table(columns, rows, caption, look)


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
    bounds = (("difference", "low", "high"),)
    caption = "Points of per cent, sample by sample, with the 95% interval of Bonett and Price for pairs."
    return Table(columns, rows, caption, Look(shares=_all_of(bounds), intervals=bounds))


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
    caption = "Samples by true class (row) and by prediction under attack (column)."
    return Table(("true class", *classes), rows, caption, Look(folded=True))


def _measured(accuracy: Proportion) -> tuple[Value, ...]:
    if not accuracy.total:
        return (0, None, None, None)
    interval = accuracy.interval()
    return (accuracy.total, accuracy.value, interval.low, interval.high)


def _share(share: Proportion) -> float | None:
    return share.value if share.total else None
