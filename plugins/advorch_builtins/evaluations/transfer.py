"""Transfer between models: Szegedy et al. 2014, Goodfellow et al. 2015 and Liu et al. 2017, in one set of tables.

A row is an adversarial set, named by the models that it was made on, or, in the way of Liu et al., by the one that it
was made without. All shares are of the samples that every model gets right, so that columns can be compared.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor

from advorch.api import ErrorClass, StageFailed
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations import transfer_tables
from advorch_builtins.evaluations.catalog_transfer import TransferParams
from advorch_builtins.evaluations.crossing import Crossing, cross, crossings, names_of, scale
from advorch_builtins.evaluations.wrong_labels import agreements, pooled


class Transfer:
    """Batches are of clean samples; adversarial ones are found by their ids."""

    def map(self, subject: Subject, batch: Data, params: TransferParams) -> Mapping[str, Tensor]:
        """What every model says of each sample, clean and as each set has it."""
        return cross(subject, batch)

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: TransferParams) -> Findings:
        """Accuracies by set and model, and how often two models make the same mistake."""
        names, found = names_of(subject, params.names), crossings(subject, rows)
        if not found:
            raise StageFailed("transfer needs adversarial sets", error_class=ErrorClass.USER)
        together = agreements(found, len(subject.data.classes))
        return Findings(
            metrics=_metrics(found, scale(subject)) | pooled(together),
            tables=transfer_tables.tables(found, together, names, subject),
            figures=transfer_tables.figures(found, names, scale(subject)),
            notes=_notes(subject, found, names),
        )


def _metrics(found: Sequence[Crossing], unit: float) -> dict[str, float]:
    """Means over the cells of the tables."""
    seen: list[float] = []
    unseen: list[float] = []
    targets: list[float] = []
    for crossing in found:
        for place in range(len(crossing.predicted)):
            known = place in crossing.made_on
            (seen if known else unseen).append(crossing.accuracy(place).value)
            hit = crossing.on_target(place)
            targets += [hit.value] if hit and not known else []
    changes = [change * unit for crossing in found if (change := crossing.change_mean) is not None]
    means = {"rmsd": changes, "seen_accuracy": seen, "unseen_accuracy": unseen, "unseen_target_rate": targets}
    return {name: fmean(values) for name, values in means.items() if values and not _unknown(values)}


def _unknown(values: Sequence[float]) -> bool:
    return bool(torch.tensor(values).isnan().any())


def _notes(subject: Subject, found: Sequence[Crossing], names: Sequence[str]) -> list[str]:
    total, most = len(subject.data), max(len(crossing.y) for crossing in found)
    notes = [f"Shares are of the samples that all models get right: {most:,} of {total:,} at most in a row."]
    strangers = [crossing.set.label for crossing in found if not crossing.made_on]
    if strangers:
        notes.append(f"Made on models that are not here, so that all columns are unseen: {', '.join(set(strangers))}.")
    return notes
