"""The best discriminator between samples and data (Goodfellow et al. 2014, propositions 1 and 2).

Its game has the value 2 JSD - log 4, which is -log 4 = -1.3863 where samples and data cannot be told apart.
"""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.contests import LOG4, Training, discriminate
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.opponent_figures import densities
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_generated import OpponentParams
from advorch_builtins.evaluations.halves import thirds

_CAPTION = (
    "Of a discriminator trained on one half and judged on the other, which can only be below the best: the divergence "
    f"is at least so much. The value is -log 4 = {-LOG4:.4f} where nothing can be told apart."
)


class Discriminator:
    """Batches are of generated samples; only all of them together can be told from data."""

    def map(self, subject: Subject, batch: Data, params: OpponentParams) -> Mapping[str, Tensor]:
        """Which samples there are."""
        return {"id": batch.ids}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: OpponentParams) -> Findings:
        """One discriminator for samples against data, another for data against data."""
        chosen = thirds(len(subject.walked), len(subject.data), len(subject.data))
        drawn, real, other = subject.walked.x[chosen.drawn], subject.data.x[chosen.real], subject.data.x[chosen.other]
        training = training_of(params, subject)
        found, floor = discriminate(real, drawn, training), discriminate(real, other, training)
        lines = [
            (name, item.value, item.error, item.divergence)
            for name, item in (("generated", found), ("real (the floor)", floor))
        ]
        line = subject.data.x.flatten(1).shape[1] == 1
        table = Table(("samples", "value", "standard error", "divergence"), tuple(lines), _CAPTION)
        return Findings(
            metrics={
                "value": found.value, "value_floor": floor.value,
                "divergence": found.divergence, "divergence_floor": floor.divergence,
            },
            tables={"Discriminator": table},
            figures={"Densities and discriminator": partial(densities, real, drawn, found.network)} if line else {},
        )  # fmt: skip


def training_of(params: OpponentParams, subject: Subject) -> Training:
    """The parameters as the kit takes them."""
    return Training(hidden=params.hidden, steps=params.steps, batch=params.batch, lr=params.lr, seed=subject.seed)
