"""Whether robust accuracies can be believed: S1 to S30 after Carlini et al. 2019 (arXiv:1902.06705), Athalye et al.
2018, Croce and Hein 2020, Pintor et al. 2022, Zimmermann et al. 2022 and Tramer et al. 2020."""

from collections.abc import Mapping

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.traceless import untouched
from advorch.kit.attack.verdict import judged_logits
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel, align
from advorch_builtins.evaluations.catalog_sanity import SanityParams
from advorch_builtins.evaluations.sanity import sets
from advorch_builtins.evaluations.sanity.attempts import measure
from advorch_builtins.evaluations.sanity.card import Card, findings
from advorch_builtins.evaluations.sanity.check import Check, Evidence, Result, absent
from advorch_builtins.evaluations.sanity.checks import chosen, columns
from advorch_builtins.evaluations.sanity.probe import Probe
from advorch_builtins.evaluations.verdicts import Standing, judge, standings

_ALWAYS = ("right", "differentiable", "other label afterwards")


class Sanity:
    """Batches are of clean samples; the first `samples` of them are probed, and all sets are looked at."""

    def map(self, subject: Subject, batch: Data, params: SanityParams) -> Mapping[str, Tensor]:
        """What every check measures, sample by sample."""
        rows = judge(subject, batch)
        for place, model in enumerate(subject.models):
            with untouched(model.module, seed=Draws(params.seed, batch.ids).fork("module").seed):
                found = _probed(subject, batch, model, params)
            rows |= {f"probe {place} {name}": values for name, values in found.items()}
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: SanityParams) -> Findings:
        """Verdicts, and the card that they make."""
        found = standings(subject, rows)
        return findings([_card(subject, rows, params, place, standing) for place, standing in enumerate(found)])


def _probed(subject: Subject, batch: Data, model: SubjectModel, params: SanityParams) -> dict[str, Tensor]:
    """Columns over the whole batch, NaN where a sample is not probed."""
    first = subject.data.ids[: params.samples]
    chosen_rows = (align(first, batch.ids.cpu()) >= 0).nonzero().squeeze(1)
    part = batch.take(chosen_rows.to(batch.ids.device))
    found = {
        name: torch.full((len(batch),), torch.nan, dtype=torch.float64)
        for name in (*_ALWAYS, *columns(chosen(params.skip)))
    }
    if len(part):
        reference = subject.data.x[:1].to(batch.x.device)
        for name, values in _measured(Probe(model.module, part, reference, first, params)).items():
            found[name][chosen_rows] = values
    for number, item in enumerate(subject.adversarials):
        own = item.made_for(model)
        looked = sets.examine(model.module, subject, part, item) if own and len(part) else {}
        for name in sets.COLUMNS:
            column = torch.full((len(batch),), torch.nan, dtype=torch.float64)
            if name in looked:
                column[chosen_rows] = looked[name]
            found[f"set {number} {name}"] = column
    return found


def _measured(probe: Probe) -> dict[str, Tensor]:
    """Everything that the chosen checks ask for; a check that needs a gradient has no rows where there is none."""
    found = {"differentiable": probe.constant(probe.differentiable)}
    found["right"] = probe.logits.argmax(1).eq(probe.data.y).double().cpu()
    for check in chosen(probe.params.skip):
        for name in check.tries:
            if name not in found:
                found |= measure(probe, name)
        if check.columns and not found.keys() >= set(check.columns) and (probe.differentiable or not check.gradient):
            found |= {name: values.double().cpu() for name, values in check.measure(probe).items()}
    afterwards = judged_logits(probe.module, probe.data.x).argmax(1)
    found["other label afterwards"] = afterwards.ne(probe.logits.argmax(1)).double().cpu()
    return found


def _card(subject: Subject, rows: Mapping[str, Tensor], params: SanityParams, place: int, standing: Standing) -> Card:
    prefix = f"probe {place} "
    own = {name.removeprefix(prefix): values for name, values in rows.items() if name.startswith(prefix)}
    evidence = Evidence(rows=own, standing=standing, subject=subject, params=params, probed=~own["right"].isnan())
    checks = chosen(params.skip)
    return Card(evidence=evidence, results={check.id: (check, _answer(check, evidence)) for check in checks})


def _answer(check: Check, evidence: Evidence) -> Result:
    if check.gradient and not evidence.says("differentiable"):
        return absent("the model has no gradient, see S15")
    if (check.gradient or check.votes) and not evidence.says("right"):
        return absent("nothing is right, so nothing was attacked")
    return check.judge(evidence)
