"""S18 to S22: what the run's own attacks handed in, looked at again."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advorch.api import Box
from advorch.kit.attack.rows import per_sample
from advorch.kit.attack.verdict import judged_logits
from advorch.kit.box import ends_of
from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject, SubjectSet, align
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent, failed, judged, passed, share
from advorch_builtins.evaluations.verdicts import Duel

COLUMNS = ("on the way", "alone", "turned round", "rounded", "lead")
_POINTS = 8
_LEVELS = 255
_CLOSE = 1e-3  # lead over the next logit, of the logits' size: rounding may turn it
_FLIPS = 0.01
_WEAK = 0.1


def examine(module: nn.Module, subject: Subject, batch: Data, item: SubjectSet) -> dict[str, Tensor]:
    """Predictions of a set's samples in other company, and of points on the way to them; NaN where it has none."""
    position = align(item.samples.ids, batch.ids.cpu())
    tried = (position >= 0).nonzero().squeeze(1)
    found = {name: torch.full((len(batch),), torch.nan, dtype=torch.float64) for name in COLUMNS}
    if not len(tried):
        return found
    z = item.samples.adversarial[position[tried]].to(batch.x)
    x = batch.x[tried.to(batch.x.device)]
    y = batch.y[tried.to(batch.y.device)]
    logits = judged_logits(module, z)
    columns = {
        "on the way": _on_the_way(module, x, z, y),
        "alone": torch.cat([judged_logits(module, row[None]).argmax(1) for row in z]),
        "turned round": judged_logits(module, z.flip(0)).argmax(1).flip(0),
        "rounded": judged_logits(module, to_levels(z, subject.data.box)).argmax(1),
        "lead": _lead(logits),
    }
    for name, values in columns.items():
        found[name][tried] = values.double().cpu()
    return found


def to_levels(z: Tensor, box: Box | None) -> Tensor:
    """As a picture of eight bits keeps it; without a box there are no levels."""
    if box is None:
        return z
    low, high = ends_of(box, tuple(z.shape[1:]), z)
    return ((z - low) / (high - low) * _LEVELS).round() / _LEVELS * (high - low) + low


def _on_the_way(module: nn.Module, x: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """Whether any point of the segment from the sample to where its attack ended fools."""
    fooled = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for number in range(1, _POINTS + 1):
        share = torch.full((len(x),), number / (_POINTS + 1), dtype=x.dtype, device=x.device)
        fooled |= judged_logits(module, x + per_sample(share, x) * (z - x)).argmax(1).ne(y)
    return fooled


def _lead(logits: Tensor) -> Tensor:
    top = logits.topk(2, dim=1).values
    return (top[:, 0] - top[:, 1]) / logits.abs().amax(1).clamp(min=1e-12)


def _of(evidence: Evidence, duel: Duel, name: str) -> Tensor:
    """A column of one set, over all samples; NaN where it was not looked at."""
    number = next(number for number, item in enumerate(evidence.subject.adversarials) if item is duel.set)
    return evidence.rows[f"set {number} {name}"]


NONE = "no attack of this model was connected"
UNSEEN = "no attack of this model has any of the probed samples that are right"


def _looked_at(evidence: Evidence, duel: Duel) -> Tensor:
    """Samples that were right, that the set has, and that were probed."""
    return evidence.standing.correct & duel.covered & ~_of(evidence, duel, "lead").isnan()


def _any_looked_at(evidence: Evidence, own: Sequence[Duel]) -> bool:
    return any(bool(_looked_at(evidence, duel).any()) for duel in own)


def _silent(evidence: Evidence) -> Result:
    own = [duel for duel in evidence.standing.own if not duel.set.samples.settings.get("targeted")]
    if not own:
        return absent("no untargeted attack of this model was connected")
    if not _any_looked_at(evidence, own):
        return absent(UNSEEN)
    worst, told = 0, []
    for duel in own:
        looked = _looked_at(evidence, duel)
        stood = looked & duel.withstood & duel.inside
        passed_by = int((stood & (_of(evidence, duel, "on the way") > 0.5)).sum())
        unsaid = int((looked & ~duel.withstood & ~claimed(duel) & duel.inside).sum())
        worst = max(worst, passed_by + unsaid)
        told.append(f"{duel.set.label} went past {share(passed_by, int(stood.sum()))} that fool, kept back {unsaid}")
    return judged(evidence.few(worst, evidence.probes), "; ".join(told))


def claimed(duel: Duel) -> Tensor:
    """What the set says of its successes, over all samples."""
    claims = torch.zeros_like(duel.covered)
    claims[duel.covered] = duel.recorded(duel.set.samples.success).bool()
    return claims


def _transferred(evidence: Evidence) -> Result:
    foreign = [duel for duel in evidence.standing.duels if not duel.own]
    if not foreign:
        return absent("no set of another model was connected")
    told, weak, tried = [], [], 0
    for duel in foreign:
        fell = duel.covered & evidence.standing.correct & claimed(duel)
        also = int((fell & ~duel.withstood).sum())
        told.append(
            f"of {int(fell.sum())} samples with which {duel.set.label} fools its own model {also} fool this one"
        )
        weak.append(also < _WEAK * int(fell.sum()))
        tried += int(fell.sum())
    if not tried:
        return absent("no sample that is right here was fooled where it was made, so that nothing could be sent on")
    if not evidence.standing.own and all(weak):
        return failed(f"{'; '.join(told)}; no attack was made for this model, so its accuracy rests on them")
    return passed("; ".join(told))


def _constraints(evidence: Evidence) -> Result:
    if not evidence.standing.own:
        return absent(NONE)
    outside, strange = sum(duel.outside for duel in evidence.standing.own), 0
    for duel in evidence.standing.own:
        samples, data = duel.set.samples, evidence.subject.data
        strange += int((samples.y[duel.position[duel.covered]] != data.y[duel.covered]).sum())
        strange += 0 if samples.adversarial.dtype == data.x.dtype else len(samples)
    total = sum(int(duel.covered.sum()) for duel in evidence.standing.own)
    if not total:
        return absent("no attack of this model has any sample of the data")
    why = f"{share(outside, total)} lie outside of ball or box, {strange} have another label or type than the data"
    return judged(not outside and not strange, why)


def _stable(evidence: Evidence) -> Result:
    if not evidence.standing.own:
        return absent(NONE)
    if not _any_looked_at(evidence, evidence.standing.own):
        return absent(UNSEEN)
    flips, close, total = 0, 0, 0
    for duel in evidence.standing.own:
        looked = _looked_at(evidence, duel)
        alone, turned = (_of(evidence, duel, name)[looked] for name in ("alone", "turned round"))
        here = duel.predicted[looked].double()
        flips += int(((alone != here) | (turned != here)).sum())
        close += int((_of(evidence, duel, "lead")[looked] < _CLOSE).sum())
        total += int(looked.sum())
    why = f"alone, or in another order, {share(flips, total)} get another label; {close} are within rounding of one"
    return judged(flips <= _FLIPS * total, why)


def _eight_bits(evidence: Evidence) -> Result:
    if not evidence.standing.own:
        return absent(NONE)
    if evidence.subject.data.box is None:
        return absent("the data has no box, so that there are no levels")
    if not _any_looked_at(evidence, evidence.standing.own):
        return absent(UNSEEN)
    told, worst = [], 0.0
    for duel in evidence.standing.own:
        looked = _looked_at(evidence, duel)
        y = evidence.standing.y[looked].double()
        fooled = duel.predicted[looked].double() != y
        still = _of(evidence, duel, "rounded")[looked] != y
        stay, count = int((fooled & still).sum()), int(fooled.sum())
        lost = (count - stay) / max(1, int(looked.sum()))
        worst = max(worst, lost)
        told.append(f"{duel.set.label}: {count} fool as numbers, {stay} of them as pictures")
    return judged(worst <= evidence.params.tolerance, "; ".join(told))


CHECKS = (
    Check(
        id="S18",
        asks="Did the attack hand in its successes?",
        judge=_silent,
        remedy="Keep the first point that fools, not the last; judge every iterate.",
    ),
    Check(
        id="S19",
        asks="Does more than transfer stand behind the numbers?",
        judge=_transferred,
        remedy="Attack the model itself; what does not transfer says nothing of robustness.",
    ),
    Check(
        id="S20",
        asks="Are all adversarials inside ball and box?",
        judge=_constraints,
        remedy="Project onto ball and box at the end, in the precision that is judged.",
    ),
    Check(
        id="S21",
        asks="Is the verdict stable?",
        judge=_stable,
        remedy="Ask for a margin (C&W's confidence), judge in fp32, and keep samples of a batch apart.",
    ),
    Check(
        id="S22",
        asks="Do adversarials survive as pictures?",
        judge=_eight_bits,
        remedy="Attack on the levels themselves (levels: 255), or say that the inputs are real numbers.",
    ),
)
