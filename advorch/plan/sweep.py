"""What stands in a plan for a stage with `tune:`: a stage whose work is done by other cells, trial after trial."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from advorch.artifacts import ArtifactType
from advorch.canonical import Json
from advorch.components import Port, Shape, StageComponent
from advorch.params import Params
from advorch.spec.pipeline import StageSpec
from advorch.spec.tuning import Tuning

if TYPE_CHECKING:
    from advorch.plan.cells import Cell
    from advorch.plan.metrics import Done, Reads
    from advorch.plan.plan import Plan
    from advorch.plan.scope import Values
    from advorch.plan.threat import ThreatCheck
    from advorch.plan.work import Work

ID = "core/sweep"
TRIALS = "trials"


@dataclass(frozen=True, kw_only=True)
class Sweep(StageComponent[Params, None]):
    """Its outputs are its winner's, by the cell and port inside; beside them stands the table of its trials."""

    family: ClassVar[str] = "core"
    shape: ClassVar[Shape] = Shape.SWEEP

    tuning: Tuning
    stages: Mapping[str, StageSpec]
    results: Mapping[str, tuple[str, str]]
    types: Mapping[str, ArtifactType]
    values: "Values"
    single: str = ""

    def inputs(self) -> Mapping[str, Port]:
        return {}

    def outputs(self) -> Mapping[str, Port]:
        return {**{port: Port(kind) for port, kind in self.types.items()}, TRIALS: Port(ArtifactType.TABLE)}

    def stage_of(self, metric: str) -> tuple[str, str]:
        """The inner stage and its metric; a stage that is tuned by itself goes without a name."""
        if self.single:
            return self.single, metric
        stage, _, name = metric.partition(".")
        return stage, name

    def name_of(self, stage: str, metric: str) -> str:
        """How a metric of an inner stage is called outside."""
        return metric if self.single else f"{stage}.{metric}"


def port_of(port: str, rank: int) -> str:
    """The output of the winner of a rank, from 1 on: `model`, `model@2`, `model@3`."""
    return port if rank == 1 else f"{port}@{rank}"


def further_ports(port: str, outputs: Iterable[str]) -> list[str]:
    """The same output of the other winners, by rank."""
    found = [name for name in outputs if name.startswith(f"{port}@")]
    return sorted(found, key=lambda name: int(name.partition("@")[2]))


def nothing_to_load() -> None:
    """A sweep has no code of its own in a worker."""


class PlansTrials(Protocol):
    """Makes the plan of one trial; `threats` is what is known of the cells outside."""

    threats: "ThreatCheck"

    def plan(self, values: Mapping[str, Json], *, refit: int = 0) -> "Plan":
        """The inner stages with these values; a refit has its own seeds and the parameters that `refit:` changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWork:
    """A sweep on its way from the file to the plan: how trials are planned, and those at the corners of its space."""

    planner: PlansTrials
    sample: Mapping[str, "Work"]
    corners: Sequence[Mapping[str, "Work"]]
    reads: Mapping[str, "Reads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What runs a sweep is handed: `key` names the search however long it is, so that it can be gone on with.

    `pin` is the trial that was chosen by hand over the winner.
    """

    key: str
    sweep: Sweep
    planner: PlansTrials
    cells: tuple["Cell", ...]
    done: "Done" = field(default_factory=dict)
    pin: int | None = None
