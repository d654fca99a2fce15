"""Optimal transport between generated samples and data; Villani, Optimal Transport, 2009."""

from collections.abc import Mapping

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation import transport
from advorch.kit.evaluation.findings import Findings, Table
from advorch.kit.evaluation.subject import Subject
from advorch.kit.evaluation.transport_figures import arrows
from advorch_builtins.evaluations.catalog_generated import TransportParams
from advorch_builtins.evaluations.halves import thirds

_ARROWS = 60


class Transport:
    """Batches are of generated samples; only all of them together have a distance."""

    def map(self, subject: Subject, batch: Data, params: TransportParams) -> Mapping[str, Tensor]:
        """Which samples there are."""
        return {"id": batch.ids}

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: TransportParams) -> Findings:
        """Each distance beside its floor."""
        chosen = thirds(len(subject.walked), len(subject.data), params.samples)
        drawn, real, other = subject.walked.x[chosen.drawn], subject.data.x[chosen.real], subject.data.x[chosen.other]
        found, floor = distances(drawn, real, params.projections), distances(other, real, params.projections)
        table = Table(
            ("samples", *found), (("generated", *found.values()), ("real (the floor)", *floor.values())),
            f"Of {chosen.size:,} samples to as many real ones; a distance of two samples of one measure is not zero.",
        )  # fmt: skip
        plane = subject.data.x.flatten(1).shape[1] == 2
        return Findings(
            metrics=found | {f"{name}_floor": value for name, value in floor.items()},
            tables={"Distances": table},
            figures={"Where mass goes": arrows(drawn[:_ARROWS], real[:_ARROWS])} if plane else {},
        )


def distances(first: Tensor, second: Tensor, projections: int) -> dict[str, float]:
    """All three by name."""
    return {
        "w1": transport.exact(first, second),
        "w2": transport.exact(first, second, 2),
        "sliced": transport.sliced(first, second, projections=projections),
    }
