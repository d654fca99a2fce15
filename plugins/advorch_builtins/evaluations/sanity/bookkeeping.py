"""S23, S27 to S29: do the probes themselves work, on this model, and leave it as it was?"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from advorch.api import Norm
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.loop import harden
from advorch.kit.attack.objectives import log_odds
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.verdict import judged_logits
from advorch.kit.attack.victim import Finish
from advorch_builtins.evaluations.sanity.attempts import ascent, climbed
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, judged, share
from advorch_builtins.evaluations.sanity.known import closed_forms
from advorch_builtins.evaluations.sanity.probe import Probe, relative

_ALONE = 8  # samples that are also attacked one by one
_ROUNDING = 1e-5  # what nobody need be told
_SAME = 1e-3  # relative difference of logits that rounding may make
_FLIPS = 0.15  # of the verdicts of those samples, by rounding alone
_POINTS = 32  # whose readings a planted adversarial exceeds
_INNER = 0.9  # of the radius: where those points lie
_REACHED = 0.9  # of the planted adversarials that an attack has to find


def _alone(probe: Probe) -> Mapping[str, Tensor]:
    """The first samples, each by itself, against the same in the batch."""
    names = ("logits alone", "verdict alone")
    columns = {name: torch.full((len(probe.right),), torch.nan, dtype=torch.float64) for name in names}
    if not probe.differentiable:
        return {name: probe.spread(values) for name, values in columns.items()}
    together = probe.attempt("ascent", lambda found: climbed(found, ascent(probe.params.steps, probe.params.norm)))
    for row in torch.isin(probe.attacked.ids.cpu(), probe.first[:_ALONE]).nonzero().squeeze(1).tolist():
        single = replace(probe, data=probe.attacked.take(slice(row, row + 1)), known={})
        columns["logits alone"][row] = relative(single.logits, probe.logits[probe.right][row : row + 1]).double()[0]
        if len(single.right) and together is not None:
            z = climbed(single, ascent(probe.params.steps, probe.params.norm))
            columns["verdict alone"][row] = single.judge(z).fooled.ne(together.fooled[row]).double()[0]
    return {name: probe.spread(values) for name, values in columns.items()}


def _independent(evidence: Evidence) -> Result:
    logits, verdicts = evidence.column("logits alone"), evidence.flags("verdict alone")
    if evidence.says("draws"):
        return absent("the model draws, see S12")
    if not len(logits):
        return absent(f"none of the first {_ALONE} samples is right, so none of them was attacked")
    most, flips = float(logits.max()), int(verdicts.sum())
    other = share(flips, len(verdicts))
    why = f"alone and in a batch logits differ by up to {max(most, _ROUNDING):.0e} of their size, verdicts on {other}"
    return judged(most <= _SAME and flips <= _FLIPS * max(1, len(verdicts)), why)


def _planted(probe: Probe) -> Mapping[str, Tensor]:
    """Zimmermann et al. 2022: a new last layer, of which an adversarial is known to exist, has to be fooled.

    For each sample a linear reading of the logits, over its threshold at one corner of the ball and below it at many
    other points.
    """
    if not len(probe.right):
        return {name: probe.constant(torch.nan) for name in ("planted", "reached")}
    data, rng = probe.attacked, probe.draws("planted")
    clean = judged_logits(probe.module, data.x).double()
    reading = judged_logits(probe.module, _edge(probe.ball(data.x), rng.fork("corner"))).double() - clean

    def read(logits: Tensor) -> Tensor:
        return ((logits.double() - clean) * reading).sum(1)

    within = probe.ball(data.x, _INNER * probe.params.epsilon)
    points = (judged_logits(probe.module, _edge(within, rng.fork(number))) for number in range(_POINTS))
    highest, top = torch.stack([read(logits) for logits in points]).amax(0), reading.square().sum(1)
    threshold = highest + 0.9 * (top - highest)

    def over(logits: Tensor, y: Tensor) -> Tensor:
        return (read(logits) - threshold).to(logits.dtype)

    recipe = ascent(probe.params.steps, probe.params.norm, over)
    z = harden(probe.victim(finish=Finish.HARDEST), data.x, data.y, [recipe], rng)
    reached = read(judged_logits(probe.module, z)) > threshold
    planted = top > highest
    return {"planted": probe.spread(planted), "reached": probe.spread(reached | ~planted)}


def _edge(ball: ThreatSet, rng: Draws) -> Tensor:
    """A random point at the edge of the ball, as far as the box lets it."""
    like, shape = ball.x, ball.x.shape[1:]
    way = rng.sign(shape, like=like) if ball.norm is Norm.LINF else rng.normal(shape, like=like)
    length = ball.distance(ball.x + way).clamp(min=1e-12)
    return ball.project(ball.x + way * per_sample(ball.epsilon / length, way).to(way.dtype))


def _planted_are_found(evidence: Evidence) -> Result:
    planted = evidence.flags("planted")
    found = evidence.flags("reached")[planted]
    if not len(found):
        return absent("in this ball no adversarial can be planted: what the model says hardly changes")
    why = f"of {len(found)} adversarials that were planted the attack finds {float(found.double().mean()):.1%}"
    return judged(float(found.double().mean()) >= _REACHED, why)


def _closed_forms(evidence: Evidence) -> Result:
    answers = closed_forms()
    wrong = [answer for answer in answers if not answer.right]
    told = ", ".join(f"{answer.name} {answer.found:.4g} (true {answer.true:.4g})" for answer in wrong or answers)
    return judged(not wrong, told)


def _changes(probe: Probe) -> Mapping[str, Tensor]:
    """One look with a gradient; whoever runs the probes puts buffers back, and would hide what happened."""
    before = fingerprint(probe.module)
    if probe.differentiable:
        label = torch.zeros(len(probe.reference), dtype=torch.int64, device=probe.reference.device)
        probe.gradient(probe.reference, label, log_odds)
    judged_logits(probe.module, probe.reference)
    return {"changed": probe.constant(fingerprint(probe.module) != before)}


def fingerprint(module: nn.Module) -> str:
    """Of all that a module keeps: weights and their gradients, buffers, modes."""
    state = hashlib.sha256()
    tensors = [*module.named_parameters(), *module.named_buffers()]
    for name, tensor in tensors:
        gradient = tensor.grad
        state.update(f"{name} {tensor.requires_grad} {gradient is None}".encode())
        for values in (tensor, gradient):
            if values is not None:
                state.update(values.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    state.update(repr([part.training for part in module.modules()]).encode())
    return state.hexdigest()


def _unchanged(evidence: Evidence) -> Result:
    changed, after = evidence.says("changed"), evidence.flags("other label afterwards")
    why = "being asked changes weights, buffers or modes" if changed else "being asked changes nothing that it keeps"
    if evidence.says("draws"):
        return judged(not changed, f"{why}; labels, which it draws, say nothing")
    other = share(int(after.sum()), len(after))
    return judged(not changed and not after.any(), f"{why}; {other} have another label after all probes than before")


CHECKS = (
    Check(
        id="S23",
        asks="Is a sample attacked alone as in a batch?",
        judge=_independent,
        remedy="Something mixes the samples of a batch: batch norm in training mode, or a sum over the batch.",
        tries=("ascent",),
        columns=("draws", "logits alone", "verdict alone"),
        measure=lambda probe: {"draws": probe.constant(probe.random), **_alone(probe)},
        gradient=True,
    ),
    Check(
        id="S27",
        asks="Does the attack find what is planted?",
        judge=_planted_are_found,
        remedy="The attack cannot work on this model, whatever it reports: adapt it before believing its numbers.",
        columns=("planted", "reached"),
        measure=_planted,
        gradient=True,
    ),
    Check(
        id="S28",
        asks="Are closed forms reproduced?",
        judge=_closed_forms,
        remedy="This installation computes wrongly: run `make test`, and look at versions and hardware.",
    ),
    Check(
        id="S29",
        asks="Is the model as it was?",
        judge=_unchanged,
        remedy="Stop what the forward pass writes: statistics in evaluation mode, counters, caches.",
        columns=("draws", "changed"),
        measure=lambda probe: {"draws": probe.constant(probe.random), **_changes(probe)},
    ),
)
