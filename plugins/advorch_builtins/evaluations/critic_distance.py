"""Distances that a critic estimates: Arjovsky et al. 2017 (arXiv:1701.07875), Arora et al. 2017 (arXiv:1703.00573).

A critic's loss alone has the scale of its slope: weights clipped at 0.01 call a distance of 0.5 about 0.002. Divided by
a bound on the slope, what it finds on given samples is a lower bound on their W1.
"""

from collections.abc import Mapping

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.contests import Gap, critic_gap, two_layer_gap
from advorch.kit.evaluation.findings import Findings, Table, Value
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.transport import exact
from advorch_builtins.evaluations.catalog_generated import CriticDistanceParams
from advorch_builtins.evaluations.discriminator import training_of
from advorch_builtins.evaluations.halves import thirds

_COLUMNS = ("samples", "critic", "on its training half", "unseen", "slope at most", "W1 at least")
_CAPTION = (
    "E f(real) - E f(samples). The spectrally normalised critic estimates W1; the one of two layers, u relu(V x) with "
    "operator norms of at most 1 and no biases, is the neural-network distance of that class of functions."
)


class CriticDistance:
    """Batches are of generated samples; only all of them together have a distance."""

    def map(self, subject: Subject, batch: Data, params: CriticDistanceParams) -> Mapping[str, Tensor]:
        """Which samples there are."""
        return {"id": batch.ids}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: CriticDistanceParams) -> Findings:
        """Two critics for samples against data, and two for data against data."""
        chosen = thirds(len(subject.walked), len(subject.data), len(subject.data))
        drawn, real, other = subject.walked.x[chosen.drawn], subject.data.x[chosen.real], subject.data.x[chosen.other]
        training = training_of(params, subject)
        found, neural = critic_gap(real, drawn, training), two_layer_gap(real, drawn, training)
        floor, neural_floor = critic_gap(real, other, training), two_layer_gap(real, other, training)
        lines = (
            _line("generated", "normalised", found), _line("generated", "two layers", neural),
            _line("real (the floor)", "normalised", floor), _line("real (the floor)", "two layers", neural_floor),
        )  # fmt: skip
        metrics = {
            "critic": found.unseen, "critic_floor": floor.unseen, "least": found.least,
            "neural": neural.unseen, "neural_floor": neural_floor.unseen,
        }  # fmt: skip
        return Findings(
            metrics=metrics | _transported(found, params.samples),
            tables={"Distances by critics": Table(_COLUMNS, lines, _CAPTION)},
        )


def _line(samples: str, critic: str, gap: Gap) -> tuple[Value, ...]:
    return samples, critic, gap.trained, gap.unseen, gap.bound, gap.least


def _transported(gap: Gap, most: int) -> dict[str, float]:
    """The exact distance of what the critic was judged on, or of the first of it."""
    size = min(most, len(gap.judged.first), len(gap.judged.second))
    return {"w1": exact(gap.judged.first[:size], gap.judged.second[:size])} if size else {}
