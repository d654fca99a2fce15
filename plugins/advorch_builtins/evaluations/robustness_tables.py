"""The tables of a robustness report."""

from collections.abc import Iterator, Mapping, Sequence

from advorch.kit.evaluation.findings import Look, Table, Value
from advorch.kit.evaluation.statistics import Proportion, confusion, paired_difference, proportion, worst_class
from advorch_builtins.evaluations.recorded import accuracy_before_rounding, mean_queries, median_first_step
from advorch_builtins.evaluations.robustness_curves import curve_table
from advorch_builtins.evaluations.verdicts import Duel, Standing, worst_of

_MANY_CLASSES = 20
_MANY_ROWS = 12
_CLEAN = ("model", "clean accuracy", "clean low", "clean high")
_ROBUST = (
    "robust accuracy", "robust low", "robust high", "worst class", "worst class accuracy", "worst class low",
    "worst class high", "attacks", "threat", "attacked",
)  # fmt: skip
_SUMMARY_CAPTION = (
    "Robust: right, and still right under every attack that was made for the model; sample by sample the worst case. "
    "The worst class is the one that this leaves least of. Beside each share stands its 95% interval (Wilson)."
)
_ACCURACY = (
    "model", "attack", "accuracy", "low", "high", "before rounding", "clean accuracy", "only by it", "mean distance",
    "mean queries", "median first step", "outside", "agreement", "unconfirmed", "samples", "kind",
)  # fmt: skip
_ACCURACY_CAPTION = (
    "Clean accuracy is that of the same samples; distances are of the samples that were fooled, queries of those that "
    "were attacked. Only by it: samples that no other attack in the same ball fooled. There are more columns where "
    "there is something to say: the accuracy before numbers were rounded to levels, as the attack recorded it; after "
    "how many steps half of the fooled were; samples outside of the ball or the box, which fool nobody; agreement with "
    "the predictions that the attack recorded; unconfirmed successes, which it claims and this evaluation denies."
)
_TRANSFER_CAPTION = "Samples that were made for another model, shown to this one."


def tables(found: Sequence[Standing], classes: Sequence[str]) -> dict[str, Table]:
    """Everything by name; the first has a row a model."""
    result = {"Summary": _summary(found, classes), "Accuracy by attack": _by_attack(found)}
    against = curve_table(found)
    result |= {"Accuracy against epsilon": against} if against else {}
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
    rows = tuple(
        (*_clean_summary(item), *(_robust_summary(item, classes) if attacked else ()), len(item.y)) for item in found
    )
    looks = ["clean", "robust", "worst class"] if attacked else ["clean"]
    intervals = tuple((_accuracy_of(name), f"{name} low", f"{name} high") for name in looks)
    # What the page says above the table has no column of its own there.
    whole = tuple((name, len(found[0].y)) for name in (("samples", "attacked") if attacked else ("samples",)))
    look = Look(shares=_all_of(intervals), intervals=intervals, usual=whole)
    caption = _SUMMARY_CAPTION if attacked else "Beside each share stands its 95% interval (Wilson)."
    return Table((*_CLEAN, *(_ROBUST if attacked else ()), "samples"), rows, caption, look)


def _accuracy_of(name: str) -> str:
    return f"{name} accuracy"


def _all_of(intervals: Sequence[tuple[str, str, str]]) -> frozenset[str]:
    return frozenset(name for names in intervals for name in names)


def _clean_summary(standing: Standing) -> tuple[Value, ...]:
    return (standing.model.label, *proportion(standing.correct).bounded)


def _robust_summary(standing: Standing, classes: Sequence[str]) -> tuple[Value, ...]:
    """No worst case, no number: attacks that share no sample have none."""
    worst = worst_of(standing.own)
    threats = ", ".join(dict.fromkeys(duel.set.threat for duel in standing.own)) or None
    if worst is None:
        return (*[None] * 7, len(standing.own), threats, 0)
    by_class = standing.by_class(worst.withstood, worst.covered)
    place = worst_class(by_class)
    weakest = [None] * 4 if place is None else [classes[place], *by_class[place].bounded]
    return (*worst.accuracy.bounded, *weakest, len(standing.own), threats, worst.accuracy.total)


def _by_attack(found: Sequence[Standing]) -> Table:
    look = Look(
        shares=frozenset({"accuracy", "low", "high", "before rounding", "clean accuracy", "agreement"}),
        intervals=(("accuracy", "low", "high"),),
        usual=(
            ("outside", 0),
            ("agreement", 1.0),
            ("unconfirmed", 0),
            ("before rounding", None),
            ("only by it", None),
            ("median first step", None),
        ),
    )
    return Table(_ACCURACY, tuple(row for standing in found for row in _accuracy(standing)), _ACCURACY_CAPTION, look)


def _transfer(found: Sequence[Standing]) -> Table:
    columns = ("model", "attack", "made for", "accuracy", "low", "high", "clean accuracy", "samples")
    labels = {standing.model.digest: standing.model.label for standing in found}
    rows = tuple(row for standing in found for row in _transferred(standing, labels))
    shares = frozenset({"accuracy", "low", "high", "clean accuracy"})
    look = Look(shares=shares, intervals=(("accuracy", "low", "high"),), folded=len(rows) > _MANY_ROWS)
    return Table(columns, rows, _TRANSFER_CAPTION, look)


def _transferred(standing: Standing, labels: Mapping[str, str]) -> Iterator[tuple[Value, ...]]:
    for duel in (duel for duel in standing.duels if not duel.own):
        samples = duel.set.samples
        names = (standing.model.label, duel.set.label, labels.get(samples.model, samples.label))
        yield (*names, *duel.accuracy.bounded, _clean_of(standing, duel).known, duel.accuracy.total)


def _clean_of(standing: Standing, duel: Duel) -> Proportion:
    return proportion(standing.correct[duel.covered])


def _accuracy(standing: Standing) -> Iterator[tuple[Value, ...]]:
    label, clean = standing.model.label, proportion(standing.correct)
    yield (label, "none", *clean.bounded, *[None] * 9, clean.total, "clean")
    for duel in standing.own:
        yield _against(standing, duel)
    for threat, duels in _by_threat(standing.own).items():
        worst = worst_of(duels)
        if worst and len(duels) > 1:
            of = proportion(standing.correct[worst.covered])
            yield (
                label, f"all {threat}", *worst.accuracy.bounded, None, of.value, *[None] * 7, of.total,
                "worst case",
            )  # fmt: skip


def _against(standing: Standing, duel: Duel) -> tuple[Value, ...]:
    lengths = duel.distance[standing.fooled_by(duel)]
    mean = float(lengths.mean()) if len(lengths) else None
    unrounded = accuracy_before_rounding(duel)
    before = None if unrounded is None else unrounded.known
    return (
        standing.model.label, duel.set.label, *duel.accuracy.bounded, before, _clean_of(standing, duel).known,
        standing.only_by(duel), mean, mean_queries(duel), median_first_step(duel), duel.outside, duel.agreement.known,
        duel.unconfirmed, duel.accuracy.total, "attack",
    )  # fmt: skip


def _by_threat(duels: Sequence[Duel]) -> dict[str, list[Duel]]:
    """Attacks by ball, and all of them together if there are several balls."""
    threats = list(dict.fromkeys(duel.set.threat for duel in duels))
    groups = {threat: [duel for duel in duels if duel.set.threat == threat] for threat in threats}
    return groups | {"attacks": list(duels)} if len(groups) > 1 else groups


def _by_class(found: Sequence[Standing], classes: Sequence[str]) -> Table:
    columns = (
        "model", "class", "clean accuracy", "clean low", "clean high", "robust accuracy", "robust low", "robust high",
        "samples", "attacked",
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
        yield (standing.model.label, name, *before.bounded, *after.bounded, before.total, after.total)


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
