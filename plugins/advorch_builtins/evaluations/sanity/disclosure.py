"""S24, S25 and S30: are the run's own attacks joined, counted and disclosed as they should be?"""

from advorch.api import Access
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, failed, judged, passed
from advorch_builtins.evaluations.sanity.gradients import INSIDE, inside
from advorch_builtins.evaluations.sanity.inside import HARD
from advorch_builtins.evaluations.sanity.randomness import averages
from advorch_builtins.evaluations.sanity.sets import NONE, claimed
from advorch_builtins.evaluations.verdicts import Duel, worst_of

_RANDOM, _BLIND = "randomness", "without gradients"


def _per_sample(evidence: Evidence) -> Result:
    own = evidence.standing.own
    if len(own) < 2:
        return absent("there is one attack at most, so that there is nothing to join")
    worst = worst_of(own)
    covered = max(int(duel.covered.sum()) for duel in own)
    if worst is None or worst.accuracy.total < covered:
        joined = 0 if worst is None else worst.accuracy.total
        return failed(f"all {len(own)} attacks tried {joined} samples together, and one of them {covered}")
    best = min(duel.accuracy.value for duel in own)
    return passed(
        f"worst case over {len(own)} attacks sample by sample {worst.accuracy.value:.1%}, best attack {best:.1%}"
    )


def _wrong_ones(evidence: Evidence) -> Result:
    if not evidence.standing.own:
        return absent(NONE)
    counted, moved, total = 0, 0, 0
    for duel in evidence.standing.own:
        wrong = duel.covered & ~evidence.standing.correct
        total += int(wrong.sum())
        counted += int((wrong & claimed(duel)).sum())
        moved += int((wrong & (duel.distance > 0)).sum())
    if not total:
        return absent("no sample is wrong from the start")
    why = f"of {total} that are wrong from the start {counted} count as successes, {moved} were moved"
    return judged(not counted and not moved, why)


def _adaptive(evidence: Evidence) -> Result:
    """A defence that changes what an attack has to do, and whether any attack did it."""
    unusual = _unusual(evidence)
    if not unusual:
        return passed("nothing in the forward pass asks for an attack of its own")
    if not evidence.standing.own:
        return failed(f"not adaptive: {', '.join(unusual)}, and {NONE}")
    means = {duel.set.label: _means(duel) for duel in evidence.standing.own}
    blind = any(mean == _BLIND for mean in means.values())
    hidden = any(name != _RANDOM for name in unusual) and not evidence.says("stands in")
    drawing = _RANDOM in unusual and not any(means.values())
    if not blind and (hidden or drawing):
        return failed(f"not adaptive: {', '.join(unusual)}, and no attack that was run is made for it")
    answers = [f"{label} ({mean})" for label, mean in means.items() if mean] or ["a gradient that goes past it"]
    return passed(f"{', '.join(unusual)}; answered by {', '.join(answers)}")


def _unusual(evidence: Evidence) -> list[str]:
    found = [name for name in HARD if evidence.says(f"has {name}")]
    found += [_RANDOM] if evidence.says("draws") else []
    return found + (["optimisation inside"] if evidence.says("differentiates") else [])


def _means(duel: Duel) -> str:
    """How an attack answers a defence, as far as its settings tell."""
    if averages(duel.set.samples.settings):
        return f"mean of {duel.set.samples.settings['draws']} gradients"
    access = duel.set.samples.access
    return _BLIND if access is not None and access is not Access.GRADIENTS else ""


CHECKS = (
    Check(
        id="S24",
        asks="Is the worst case taken sample by sample?",
        judge=_per_sample,
        remedy="Attack the same samples with every attack; the minimum of means is too high.",
    ),
    Check(
        id="S25",
        asks="Are wrong samples left alone?",
        judge=_wrong_ones,
        remedy="Count what is wrong from the start as wrong, and attack the rest.",
    ),
    Check(
        id="S30",
        asks="Was the attack made for this defence?",
        judge=_adaptive,
        remedy="Answer every part of the defence: EOT for randomness, BPDA for what has no derivative, and say so.",
        columns=("draws", *INSIDE),
        measure=lambda probe: {"draws": probe.constant(probe.random), **inside(probe)},
    ),
)
