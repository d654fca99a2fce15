"""S1 to S3: does the size of the ball do what a size does?"""

import itertools
import math
from collections.abc import Mapping

from torch import Tensor

from advorch.api import Budget, Norm
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.verdict import judged_logits
from advorch.kit.box import into_box
from advorch.kit.evaluation.statistics import Proportion
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, failed, judged, share
from advorch_builtins.evaluations.sanity.probe import Probe


def _at_zero(probe: Probe) -> Mapping[str, Tensor]:
    """Whether samples are where they are said to be, and what the model says of them again."""
    again = judged_logits(probe.module, into_box(probe.data.x, probe.data.box, tuple(probe.data.x.shape[1:]))).argmax(1)
    legal = ThreatSet.around(probe.data.x, Norm.UNBOUNDED, 0.0, box=probe.data.box).contains(probe.data.x)
    return {
        "outside of the box": (~legal).double(),
        "other label at zero": again.ne(probe.logits.argmax(1)).double(),
    }


def _zero_is_clean(evidence: Evidence) -> Result:
    outside, other = (evidence.flags(name) for name in ("outside of the box", "other label at zero"))
    fooled = evidence.fooled("nothing")
    if outside.any():
        return failed(f"{share(int(outside.sum()), len(outside))} lie outside of their box: any attack clips them")
    changed = int(other.sum() + fooled.sum())
    return judged(not changed, f"at epsilon 0 {share(changed, len(other))} have another label than without an attack")


def _unbounded_breaks_everything(evidence: Evidence) -> Result:
    half, whole = evidence.fooled("half box"), evidence.fooled("whole box")
    if not len(half):
        return absent("the data has no box to be unbounded in")
    chance = 1 / evidence.standing.classes
    left = Proportion(int((~half).sum()), evidence.probes)
    rest = int((~whole).sum())
    why = f"accuracy {left.value:.1%} at half of the range (chance {chance:.0%}), {rest / evidence.probes:.1%} at all"
    return judged(left.interval().low <= chance and evidence.few(rest, evidence.probes), why)


def _falls_with_epsilon(evidence: Evidence) -> Result:
    sizes = ("quarter", "half", "ascent")
    fooled = [evidence.fooled(name) for name in sizes]
    lost = sum(int((small & ~large).sum()) for small, large in itertools.pairwise(fooled))
    curve = ", ".join(f"{1 - float(flags.double().mean()):.1%}" for flags in fooled)
    why = f"{curve} stand at 1/4, 1/2 and all of epsilon; {share(lost, len(fooled[0]))} fall only to the smaller ball"
    return judged(evidence.few(lost, len(fooled[0])), why)


def _reach(evidence: Evidence) -> Result:
    """The unit trap: steps that are too short for the ball they are in."""
    own = [duel for duel in evidence.standing.own if _alpha(duel.set.samples)]
    if not own:
        return absent("no attack of this model was given a length of its steps")
    poor = []
    for duel in own:
        settings = duel.set.samples.settings
        steps, alpha = _number(settings["steps"]), _alpha(duel.set.samples)
        if steps * alpha < duel.set.epsilon * (1 - 1e-9):
            way = f"{steps:g} steps of {alpha:g} move at most {steps * alpha:g} of epsilon {duel.set.epsilon:g}"
            poor.append(f"{duel.set.label}: {way}")
    return failed("; ".join(poor)) if poor else judged(True, f"{len(own)} attacks can cross their balls")


def _alpha(samples: AdversarialSet) -> float:
    """The length of a step where a set's attack was given one; along raw gradients there is no length."""
    given = samples.settings
    known = {"steps", "alpha"} <= given.keys() and given["alpha"] is not None and samples.attack not in _RAW
    ball = samples.budget is Budget.FIXED and given["norm"] != Norm.UNBOUNDED.value
    return _number(given["alpha"]) if known and ball else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


_RAW = ("attack/proximal", "attack/difference")

CHECKS = (
    Check(
        id="S1",
        asks="Is epsilon 0 the clean accuracy?",
        judge=_zero_is_clean,
        remedy="Give the data's true box, keep normalisation inside the model, and switch dropout and noise off.",
        tries=("nothing",),
        columns=("outside of the box", "other label at zero"),
        measure=_at_zero,
    ),
    Check(
        id="S2",
        asks="Does an unbounded attack break everything?",
        judge=_unbounded_breaks_everything,
        remedy="The attack fails, not the samples: no model withstands a picture that may be anything. "
        "See the gradient checks, and attack with another loss or without gradients.",
        tries=("half box", "whole box"),
        gradient=True,
        votes=True,
    ),
    Check(
        id="S3",
        asks="Does accuracy fall with epsilon?",
        judge=_falls_with_epsilon,
        remedy="A point of a smaller ball lies in the larger too: take more steps, or start from the smaller ball.",
        tries=("quarter", "half", "ascent"),
        gradient=True,
    ),
    Check(
        id="S31",
        asks="Can the steps reach the edge of the ball?",
        judge=_reach,
        remedy="Put epsilon and alpha into one unit, or leave alpha out: it is then 2.5 epsilon / steps.",
    ),
)
