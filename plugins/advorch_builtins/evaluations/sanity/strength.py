"""S4 to S9: does a stronger attack find more?"""

import torch
from torch import Tensor

from advorch_builtins.evaluations.sanity.attempts import GRADIENT
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, judged, share

_APART = 0.05  # between two losses: more than one of them being the better
_GAIN = 0.05
_SAME = 1 + 1e-6


def _iterations_beat_one_step(evidence: Evidence) -> Result:
    once, often = evidence.fooled("fgsm"), evidence.fooled("ascent")
    lost = int((once & ~often).sum())
    why = f"one step fools {_per_cent(once)}, {evidence.params.steps} fool {_per_cent(often)}; "
    return judged(evidence.few(lost, len(once)), f"{why}{share(lost, len(once))} fall to one step alone")


def _converged(evidence: Evidence) -> Result:
    some, more = evidence.fooled("ascent"), evidence.fooled("long")
    gained = int(more.sum()) - int(some.sum())
    standing = ~some & ~more
    climbed = round(_climb(evidence, standing), 3) + 0.0  # a zero has no sign
    steps = evidence.params.steps
    why = f"{steps} steps fool {_per_cent(some)}, {2 * steps} fool {_per_cent(more)}; who stands gains {climbed:.1%}"
    good = evidence.few(abs(gained), len(some)) and climbed <= _GAIN
    return judged(good, why)


def _climb(evidence: Evidence, standing: Tensor) -> float:
    """By how much more steps raise the log-odds of those who stand, of what the first steps did."""
    if not standing.any():
        return 0.0
    clean, some, more = (evidence.column(f"odds of {name}")[standing] for name in ("nothing", "ascent", "long"))
    return float((more - some).mean() / (some - clean).mean().clamp(min=1e-9))


def _restarts_are_marginal(evidence: Evidence) -> Result:
    some, more = evidence.fooled("restarts"), evidence.fooled("twice")
    lost, gained = int((some & ~more).sum()), int((more & ~some).sum())
    count = evidence.params.restarts
    why = f"{count} restarts fool {_per_cent(some)}, {2 * count} fool {_per_cent(more)}"
    return judged(not lost and evidence.few(gained, len(some)), why)


def _white_box_beats_black_box(evidence: Evidence) -> Result:
    right, squares, sent = evidence.rows["right"] > 0.5, evidence.fell("square"), _transferred(evidence)
    if evidence.rows["square"].isnan().all() and not sent.any():
        return absent("the black-box probe paints pictures in a box, in linf and l2")
    white = evidence.fell(*GRADIENT)
    missed, total = int(((squares | sent) & right & ~white).sum()), int(right.sum())
    ways = f"{evidence.params.queries} squares {_per_cent(squares[right])}"
    ways += f", sets of other models {_per_cent(sent[right])}" if sent.any() else ""
    why = f"gradients fool {_per_cent(white[right])}, {ways}; {share(missed, total)} fall to these alone"
    return judged(evidence.few(missed, total), why)


def _transferred(evidence: Evidence) -> Tensor:
    """Whom sets that were made for other models fool, in the same ball or a smaller one."""
    standing, params = evidence.standing, evidence.params
    fell = torch.zeros_like(standing.correct)
    for duel in standing.duels:
        if not duel.own and duel.set.norm is params.norm and duel.set.epsilon <= params.epsilon * _SAME:
            fell |= standing.fooled_by(duel)
    return fell


def _gradient_beats_noise(evidence: Evidence) -> Result:
    white, noise = evidence.fooled_by_any(*GRADIENT), evidence.fooled("noise")
    missed = int((noise & ~white).sum())
    why = f"gradients fool {_per_cent(white)}, the worst of {evidence.params.draws} random points {_per_cent(noise)}; "
    return judged(evidence.few(missed, len(white)), f"{why}{share(missed, len(white))} fall to noise alone")


def _losses_agree(evidence: Evidence) -> Result:
    entropy, margin = evidence.fooled("ascent"), evidence.fooled("margin")
    apart = abs(int(entropy.sum()) - int(margin.sum())) / max(1, len(entropy))
    why = f"the cross-entropy fools {_per_cent(entropy)}, the margin {_per_cent(margin)}"
    return judged(apart <= _APART, why)


def _per_cent(fooled: Tensor) -> str:
    return f"{float(fooled.double().mean()):.1%}"


_MORE = "Take more steps or a smaller step, until accuracy and loss stay where they are."
_MASKED = "Gradients do not lead to the adversarials that exist: suspect masking, and attack without gradients."

CHECKS = (
    Check(
        id="S4",
        asks="Do many steps find what one step finds?",
        judge=_iterations_beat_one_step,
        remedy="The loss is rough next to the sample: smooth it (EOT over noise), or attack without gradients.",
        tries=("fgsm", "ascent"),
        gradient=True,
        votes=True,
    ),
    Check(
        id="S5",
        asks="Has the attack converged?",
        judge=_converged,
        remedy=_MORE,
        tries=("nothing", "ascent", "long"),
        gradient=True,
        votes=True,
    ),
    Check(
        id="S6",
        asks="Are more restarts of little use?",
        judge=_restarts_are_marginal,
        remedy="Use more restarts, until another one finds nothing.",
        tries=("restarts", "twice"),
        gradient=True,
    ),
    Check(
        id="S7",
        asks="Do gradients find what a black box finds?",
        judge=_white_box_beats_black_box,
        remedy=_MASKED,
        tries=(*GRADIENT, "square"),
        votes=True,
    ),
    Check(
        id="S8",
        asks="Do gradients find what noise finds?",
        judge=_gradient_beats_noise,
        remedy=_MASKED,
        tries=(*GRADIENT, "noise"),
        votes=True,
    ),
    Check(
        id="S9",
        asks="Do two losses agree?",
        judge=_losses_agree,
        remedy="Report the better loss and try others: logits are scaled, or one loss is flat.",
        tries=("ascent", "margin"),
        gradient=True,
    ),
)
