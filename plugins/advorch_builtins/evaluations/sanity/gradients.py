"""S10, S14 to S17: is there a gradient, and does it say where the loss rises?"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from advorch.kit.attack.directions import to_unit_l2
from advorch.kit.attack.objectives import log_odds
from advorch.kit.attack.rows import euclidean, per_sample
from advorch.kit.attack.threat_set import ThreatSet
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, failed, judged, passed, share
from advorch_builtins.evaluations.sanity.inside import HARD, look_inside
from advorch_builtins.evaluations.sanity.probe import Probe

_SCALES = (0.01, 0.1)  # of epsilon: near enough for a slope, and far enough for an attack
_AGREED = (0.9, 0.75)  # of the samples, at each scale
_SIZES = (2.0, 5.0)  # factors between what the slope promises and what a step of each scale brings
_RESOLVED = 30.0  # changes of the loss below so many units in its last place say nothing
_FINE = 0.01  # of epsilon: the steps from there
_NOISE = 0.1  # of epsilon: the radius in which a loss should be quiet
_ROUGH = 0.5  # second differences of first ones: independent noise has 1.7, a line nothing
_DRAWS = 10
INSIDE = (*(f"has {name}" for name in HARD), "stands in", "differentiates")


def _dead(probe: Probe) -> Mapping[str, Tensor]:
    data = probe.attacked
    elsewhere = probe.ball(data.x).random(probe.draws("elsewhere"))
    columns = {"dead at the sample": _zeros(probe.gradient(data.x, data.y))}
    columns["dead elsewhere"] = _zeros(probe.gradient(elsewhere, data.y))
    columns["dead in the usual form"] = _zeros(probe.gradient(data.x, data.y, _usual))
    return {name: probe.spread(values) for name, values in columns.items()}


def _usual(logits: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(logits, y, reduction="none")


def _zeros(gradient: Tensor) -> Tensor:
    return ~gradient.flatten(1).any(1)


def _alive(evidence: Evidence) -> Result:
    names = ("dead at the sample", "dead elsewhere", "dead in the usual form")
    here, there, usual = (evidence.flags(name) for name in names)
    count, few = len(here), evidence.few
    good = few(int(here.sum()), count) and few(int(there.sum()), count)
    lost = share(int(here.sum()), count)
    if good and not few(int(usual.sum()), count):
        return failed(
            f"GRADIENTS VANISH: the usual cross-entropy has a gradient of exactly zero at {int(usual.sum())} of "
            f"{count} samples, since the logits are very large; in this kit's form it is lost at {lost}"
        )
    return judged(good, f"the input gradient is exactly zero at {lost}, and beside {int(there.sum())} of them")


def _uphill(probe: Probe) -> Mapping[str, Tensor]:
    """Central differences of the log-odds along the gradient, at several lengths, against what it promises."""
    data = probe.attacked
    slope = probe.gradient(data.x, data.y, log_odds)
    direction, steepness = to_unit_l2(slope), euclidean(slope)
    columns = {}
    for scale in _SCALES:
        length = _length(probe, direction, scale)
        above, below = (
            probe.judge(data.x + side * direction * per_sample(length, direction)).odds.double() for side in (1, -1)
        )
        unclear = (above - below).abs() < _RESOLVED * torch.finfo(data.x.dtype).eps * above.abs().clamp(min=1)
        ratio = (above - below) / (2 * length.double() * steepness).clamp(min=1e-300)
        columns[f"rise at {scale}"] = probe.spread(_coarse(ratio, 4).masked_fill(unclear | (steepness == 0), torch.nan))
    return columns


def _coarse(values: Tensor, parts: int) -> Tensor:
    """So many parts of one: what is left of a difference quotient in float32."""
    return (values * parts).round() / parts


def _length(probe: Probe, direction: Tensor, scale: float) -> Tensor:
    """As far as a share of epsilon goes in the norm of the ball."""
    size = probe.ball(torch.zeros_like(direction)).distance(direction).clamp(min=1e-12)
    return (scale * probe.params.epsilon / size).to(direction.dtype)


def _points_uphill(evidence: Evidence) -> Result:
    ratios = [evidence.column(f"rise at {scale}") for scale in _SCALES]
    if not all(len(ratio) for ratio in ratios):
        return absent("the loss is flat around every sample: there is no slope to compare with")
    agreed = [float((ratio > 0).double().mean()) for ratio in ratios]
    sizes = [float(ratio.median()) for ratio in ratios]
    parts = [
        f"of {share:.0%} at {scale:g} epsilon, by {size:.2g} of what it promises"
        for share, scale, size in zip(agreed, _SCALES, sizes, strict=True)
    ]
    right = all(share >= least for share, least in zip(agreed, _AGREED, strict=True))
    fit = all(1 / most <= size <= most for size, most in zip(sizes, _SIZES, strict=True))
    return judged(right and fit, f"a step along the gradient raises the loss {' and '.join(parts)}")


def _roughness(probe: Probe) -> Mapping[str, Tensor]:
    """Second differences of the log-odds beside each sample, of first ones: nothing where they are linear.

    Beside it and not at it: images have corners of their own, such as black that is exactly zero under a pooling layer.
    """
    data, epsilon = probe.attacked, probe.params.epsilon
    clean = probe.judge(data.x).odds.double()
    bent = straight = changed = torch.zeros_like(clean)
    for number in range(_DRAWS):
        rng = probe.draws(f"rough {number}")
        place = ThreatSet.around(data.x, probe.params.norm, _NOISE * epsilon).random(rng.fork("place"))
        step = ThreatSet.around(place, probe.params.norm, _FINE * epsilon).random(rng.fork("step")) - place
        above, here, below = (probe.judge(place + side * step).odds.double() for side in (1, 0, -1))
        bent, straight = bent + (above + below - 2 * here).abs(), straight + (above - below).abs()
        changed = changed + (here - clean).abs() / clean.abs().clamp(min=1e-12)
    flat = straight < _RESOLVED * torch.finfo(data.x.dtype).eps * clean.abs().clamp(min=1) * _DRAWS
    return {
        "bend under noise": probe.spread(_coarse(bent / straight.clamp(min=1e-300), 20).masked_fill(flat, torch.nan)),
        "change under noise": probe.spread(changed / _DRAWS),
    }


def _quiet(evidence: Evidence) -> Result:
    bend, change = evidence.column("bend under noise"), evidence.column("change under noise")
    if not len(bend):
        return absent("the loss is flat around every sample: noise does not change it")
    why = (
        f"noise of {_NOISE:g} epsilon changes the log-odds of the median sample by {float(change.median()):.1%}; there "
        f"steps of {_FINE:g} epsilon bend {float(bend.median()):.0%}"
    )
    return judged(float(bend.median()) <= _ROUGH, why)


def inside(probe: Probe) -> Mapping[str, Tensor]:
    label = probe.logits.new_zeros(len(probe.reference), dtype=torch.int64)
    seen = look_inside(probe.module, probe.reference)
    stand_in = probe.differentiable and bool(probe.gradient(probe.reference, label, log_odds).any())
    columns = {f"has {name}": probe.constant(name in seen.hard) for name in HARD}
    return {**columns, "stands in": probe.constant(stand_in), "differentiates": probe.constant(seen.differentiates)}


def _graph(evidence: Evidence) -> Result:
    seen = [name for name in HARD if evidence.says(f"has {name}")]
    if not evidence.says("differentiable"):
        return failed(f"no gradient comes back from the logits to the input ({', '.join(seen) or 'the graph is cut'})")
    if not seen:
        return passed("nothing in the forward pass is without a derivative")
    if evidence.says("stands in"):
        return passed(f"{', '.join(seen)} in the forward pass, with a gradient that goes past it")
    return failed(f"{', '.join(seen)} in the forward pass, and the gradient that comes back is zero")


def _differentiates(evidence: Evidence) -> Result:
    inside = evidence.says("differentiates")
    return judged(not inside, f"the forward pass {'calls' if inside else 'does not call'} autograd itself")


_BPDA = "Replace what has no derivative by a smooth stand-in on the way back (BPDA), and attack that."
_SCALED = (
    "Use this kit's losses, the margin or DLR; elsewhere divide the logits by their size first. "
    "Where even these are flat, attack without gradients."
)

CHECKS = (
    Check(
        id="S10",
        asks="Are there gradients?",
        judge=_alive,
        remedy=_SCALED,
        columns=("dead at the sample", "dead elsewhere", "dead in the usual form"),
        measure=_dead,
        gradient=True,
        votes=True,
    ),
    Check(
        id="S14",
        asks="Is the forward pass free of optimisation?",
        judge=_differentiates,
        remedy="Unroll the inner optimisation or attack its result (BPDA); a plain gradient is of another function.",
        columns=INSIDE,
        measure=inside,
    ),
    Check(
        id="S15",
        asks="Is everything differentiable?",
        judge=_graph,
        remedy=_BPDA,
        columns=INSIDE,
        measure=inside,
    ),
    Check(
        id="S16",
        asks="Does the gradient point uphill?",
        judge=_points_uphill,
        remedy="The gradient is of another function than the loss, or shattered: use BPDA, or EOT over small noise.",
        columns=tuple(f"rise at {scale}" for scale in _SCALES),
        measure=_uphill,
        gradient=True,
        votes=True,
    ),
    Check(
        id="S17",
        asks="Is the loss smooth?",
        judge=_quiet,
        remedy="Average gradients over small noise (eot-pgd with view: noise), or attack without gradients.",
        columns=("bend under noise", "change under noise"),
        measure=_roughness,
        votes=True,
    ),
)
