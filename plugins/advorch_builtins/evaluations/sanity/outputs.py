"""S11 and S26: is what the model returns what an attack takes it for?"""

from collections.abc import Mapping

from torch import Tensor

from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, failed, judged, passed, share
from advorch_builtins.evaluations.sanity.probe import Probe

_SUM = 1e-3
_DLR = {"attack/apgd-dlr": 3, "attack/apgd-t": 4}


def _probabilities(probe: Probe) -> Mapping[str, Tensor]:
    logits = probe.logits.double()
    sums = (logits.sum(1) - 1).abs() < _SUM
    return {"like probabilities": (sums & (logits >= 0).all(1)).double()}


def _logits(evidence: Evidence) -> Result:
    alike = evidence.flags("like probabilities")
    count = int(alike.sum())
    return judged(2 * count < len(alike), f"the outputs of {share(count, len(alike))} are in [0, 1] and sum to one")


def _width(probe: Probe) -> Mapping[str, Tensor]:
    return {"outputs": probe.constant(probe.logits.shape[1])}


def _classes(evidence: Evidence) -> Result:
    outputs, classes = int(evidence.column("outputs")[0]), evidence.standing.classes
    if outputs != classes:
        return failed(f"the model has {outputs} outputs and the data {classes} classes")
    weak = [duel.set.label for duel in evidence.standing.own if _DLR.get(duel.set.samples.attack, 0) > classes]
    if weak:
        return failed(f"{weak[0]} wants more classes than {classes}: its ratio of logit differences is the margin here")
    return passed(f"{outputs} outputs, {classes} classes")


CHECKS = (
    Check(
        id="S11",
        asks="Are the outputs logits?",
        judge=_logits,
        remedy="Return logits: take the softmax off the end of the model, it halves the precision of every loss.",
        columns=("like probabilities",),
        measure=_probabilities,
    ),
    Check(
        id="S26",
        asks="Do outputs, classes and targets fit?",
        judge=_classes,
        remedy="One output a class; with two or three classes use the cross-entropy or the margin instead of DLR.",
        columns=("outputs",),
        measure=_width,
    ),
)
