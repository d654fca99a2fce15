"""What a reader must know before believing a robustness report."""

from collections.abc import Iterator, Sequence

from advorch.kit.evaluation.subject import SubjectSet
from advorch_builtins.evaluations.verdicts import Standing, worst_of


def notes(found: Sequence[Standing], sets: Sequence[SubjectSet], samples: int) -> list[str]:
    """In the order of their weight."""
    result = ["No gradient-masking checks were run: a robust accuracy is that of the attacks listed, and no guarantee."]
    for standing in found:
        result += [*_of_model(standing, samples), *_stronger_from_elsewhere(standing)]
    result += _strangers(found, sets)
    return result


def _of_model(standing: Standing, samples: int) -> Iterator[str]:
    label = standing.model.label
    if not standing.own:
        yield f"{label}: no attack was made for it, so it has no robust accuracy; transferred sets are upper bounds."
        return
    worst = worst_of(standing.own)
    if worst is None:
        yield f"{label}: no sample was tried by all {len(standing.own)} attacks, so there is no worst case."
    elif worst.accuracy.total < samples:
        tried = f"{worst.accuracy.total} of {samples} samples"
        yield f"{label}: robust accuracies are of {tried}, those that every attack tried."
    threats = list(dict.fromkeys(duel.set.threat for duel in standing.own))
    if len(threats) > 1:
        yield f"{label}: the worst case is over several balls together ({', '.join(threats)})."
    for duel in standing.own:
        attack = f"{label}, {duel.set.label}"
        if duel.outside:
            yield f"{attack}: {duel.outside} samples lie outside of the ball or the box and do not count."
        if duel.unconfirmed:
            yield f"{attack}: {duel.unconfirmed} successes that the attack claims were not confirmed."


def _stronger_from_elsewhere(standing: Standing) -> Iterator[str]:
    """Whoever sees the model should beat whoever does not: where that fails, its gradients may be hiding something."""
    for duel in standing.duels:
        rivals = worst_of([own for own in standing.own if own.set.threat == duel.set.threat])
        if duel.own or rivals is None:
            continue
        both = duel.covered & rivals.covered
        if int(duel.withstood[both].sum()) < int(rivals.withstood[both].sum()):
            stranger = f"{duel.set.label}, made for {duel.set.samples.label},"
            yield f"{standing.model.label}: {stranger} fools it more than its own attacks do: suspect its gradients."


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
