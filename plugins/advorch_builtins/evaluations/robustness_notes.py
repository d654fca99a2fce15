"""What a reader must know before believing a robustness report."""

from collections.abc import Iterator, Mapping, Sequence

from advorch.kit.evaluation.statistics import paired_difference
from advorch.kit.evaluation.subject import SubjectSet
from advorch_builtins.evaluations.verdicts import Standing, worst_of


def notes(found: Sequence[Standing], sets: Sequence[SubjectSet], samples: int) -> list[str]:
    """In the order of their weight; what is to be said of several models is said once."""
    labels = {standing.model.digest: standing.model.label for standing in found}
    said: dict[str, list[str]] = {}
    for standing in found:
        for text in (*_stronger_from_elsewhere(standing, labels), *_of_model(standing, samples)):
            said.setdefault(text, []).append(standing.model.label)
    return [
        *(f"{_who(names, len(found))}: {text}" for text, names in said.items()),
        *_strangers(found, sets),
    ]


def _who(names: Sequence[str], models: int) -> str:
    return "all models" if len(names) == models > 1 else ", ".join(names)


def _of_model(standing: Standing, samples: int) -> Iterator[str]:
    if not standing.own:
        yield "no attack was made for it, so it has no robust accuracy; transferred sets are upper bounds."
        return
    worst = worst_of(standing.own)
    if worst is None:
        yield f"no sample was tried by all {len(standing.own)} attacks, so there is no worst case."
    elif worst.accuracy.total < samples:
        tried = f"{worst.accuracy.total:,} of {samples:,} samples"
        yield f"robust accuracies are of {tried}, those that every attack tried."
    threats = list(dict.fromkeys(duel.set.threat for duel in standing.own))
    if len(threats) > 1:
        yield f"the worst case is over several balls together ({', '.join(threats)})."
    for duel in standing.own:
        if duel.outside:
            yield f"{duel.set.label}: {duel.outside} samples lie outside of the ball or the box and do not count."
        if duel.unconfirmed:
            yield f"{duel.set.label}: {duel.unconfirmed} successes that the attack claims were not confirmed."


def _stronger_from_elsewhere(standing: Standing, labels: Mapping[str, str]) -> Iterator[str]:
    """Whoever sees the model should beat whoever does not: where that fails, its gradients may be hiding something."""
    for duel in standing.duels:
        rivals = worst_of([own for own in standing.own if own.set.threat == duel.set.threat])
        if duel.own or rivals is None:
            continue
        both = duel.covered & rivals.covered
        more, interval = paired_difference(rivals.withstood[both], duel.withstood[both])
        if interval.low > 0:
            samples = duel.set.samples
            stranger = f"{duel.set.label}, made for {labels.get(samples.model, samples.label)},"
            points = f"{100 * more:.1f} points more, 95% interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"
            yield f"{stranger} fools it more than its own attacks do ({points}): suspect its gradients."


def _strangers(found: Sequence[Standing], sets: Sequence[SubjectSet]) -> Iterator[str]:
    """Sets against models that are not here, and sets that have no sample in the data."""
    for item in sets:
        if not any(item.made_for(standing.model) for standing in found):
            yield f"{item.label} was made for {item.samples.label}, which is not evaluated: it counts as transfer only."
    duels = found[0].duels if found else ()
    for duel in duels:
        absent = len(duel.set.samples) - int(duel.covered.sum())
        if absent:
            yield f"{duel.set.label}: {absent} of its {len(duel.set.samples)} samples are not in the data."
