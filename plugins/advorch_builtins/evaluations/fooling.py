"""Fooling rates of perturbations on samples that they have not seen: Moosavi-Dezfooli et al., CVPR 2017.

Fooled is whose label changes; with a target, who had another label and now has the target. The control is noise of the
perturbation's own size, one draw for all samples: in linf the perturbation with its values' signs drawn anew, in l2 a
direction drawn anew.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.statistics import proportion
from advorch.kit.evaluation.subject import Subject
from advorch.kit.perturbation.applying import into_box, of_source
from advorch.kit.perturbation.fitted import Fitted, Kind
from advorch_builtins.evaluations import fooling_report
from advorch_builtins.evaluations.catalog_fitted import FoolingParams
from advorch_builtins.evaluations.fitted_pairs import Pair, named_metrics, pairs, worn
from advorch_builtins.evaluations.fooling_report import Fooled

KINDS = (Kind.UNIVERSAL, Kind.PATCH, Kind.STICKER)


class Fooling:
    """Every perturbation on every model."""

    def map(self, subject: Subject, batch: Data, params: FoolingParams) -> Mapping[str, Tensor]:
        """Labels of each model: clean, with each perturbation, and with noise of its size."""
        rows = {f"clean.{number}": model.predict(batch.x) for number, model in enumerate(subject.models)}
        for pair in pairs(subject, *KINDS):
            rows[f"worn.{pair.key}"] = pair.model.predict(worn(subject, pair.fitted, batch))
            if pair.fitted.print.kind is Kind.UNIVERSAL:
                rows[f"noise.{pair.key}"] = pair.model.predict(noised(subject, pair.fitted, batch))
        return rows

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: FoolingParams) -> Findings:
        """The matrix of rates, the labels that samples fall to, and pictures."""
        found = [_fooled(subject, pair, rows) for pair in pairs(subject, *KINDS)]
        return Findings(
            metrics=named_metrics([(one.pair, one.metrics()) for one in found]),
            tables=fooling_report.tables(found, subject, params.labels),
            figures=fooling_report.figures(found, subject, params.examples),
            notes=fooling_report.notes(found),
        )


def noised(subject: Subject, fitted: Fitted, batch: Data) -> Tensor:
    """Samples with noise as large as the perturbation."""
    pattern = fitted.print.pattern.to(batch.x)
    rng = Draws(subject.seed, torch.zeros(1, dtype=torch.int64)).fork("noise")
    if fitted.print.how["norm"] == "l2":
        noise = rng.normal(pattern.shape, like=pattern[None])[0]
        return into_box(batch.x + noise * (pattern.norm() / noise.norm()), batch.box)
    return into_box(batch.x + pattern.abs() * rng.sign(pattern.shape, like=pattern[None])[0], batch.box)


def _fooled(subject: Subject, pair: Pair, rows: Mapping[str, Tensor]) -> Fooled:
    number = pair.key.partition(".")[2]
    among = of_source(pair.fitted, subject.data.y)
    clean, after = rows[f"clean.{number}"][among], rows[f"worn.{pair.key}"][among]
    noise = rows.get(f"noise.{pair.key}")
    target = pair.fitted.target
    counted = torch.ones_like(clean, dtype=torch.bool) if target is None else clean.ne(target)
    return Fooled(
        pair=pair,
        rate=proportion(_changed(clean, after, target)[counted]),
        control=None if noise is None else proportion(_changed(clean, noise[among], target)[counted]),
        accuracy=proportion(after.eq(subject.data.y[among])),
        clean_accuracy=proportion(clean.eq(subject.data.y[among])),
        falls=after[after.ne(clean)].bincount(minlength=len(subject.data.classes)),
    )


def _changed(clean: Tensor, after: Tensor, target: int | None) -> Tensor:
    return after.ne(clean) if target is None else after.eq(target)
