"""What a plan is made of: cells, where their inputs come from, and what they settle to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from advorch.artifacts import Artifact, ArtifactType, DataInput
from advorch.canonical import Json
from advorch.components import AnyComponent, AnyStageComponent, Shape
from advorch.spec.pipeline import ResourceSpec, RetrySpec

if TYPE_CHECKING:
    from advorch.plan.sweep import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSource:
    """An input that another cell produces; with `every`, those of all winners of a sweep."""

    cell: str
    port: str
    every: bool = False


Source = PortSource | DataInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One stage after matrix expansion; parameters that read a metric are still open when `deferred`."""

    address: str
    stage: str
    component: AnyStageComponent
    inputs: Mapping[str, tuple[Source, ...]]
    after: frozenset[str]
    optional_after: frozenset[str] = frozenset()
    params: Mapping[str, Json] = field(default_factory=dict)
    deferred: frozenset[str] = frozenset()
    axes: Mapping[str, Json] = field(default_factory=dict)
    resources: ResourceSpec = ResourceSpec()
    retry: RetrySpec = RetrySpec()
    timeout: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    continue_on_failure: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundArtifact:
    """An input whose producer has finished."""

    cell: str
    port: str
    artifact: Artifact


Bound = BoundArtifact | DataInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A cell with nothing left open: what will be computed, and the key that stands for it."""

    cell: Cell
    params: Mapping[str, Json]
    inputs: Mapping[str, tuple[Bound, ...]]
    key: str
    parts: Mapping[str, Json]
    seed: int
    missing: tuple[str, ...] = ()
    search: "Search | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A cell that will not run, and why: its `when:` is false, or what it needs failed or was skipped."""

    cell: Cell
    reason: str
    failed: bool = False


def threads_of(resources: ResourceSpec) -> int:
    """Threads that torch gets in a worker: whole ones, since their number moves the last bits of a sum."""
    return max(1, math.ceil(resources.cpus))


def world_size(component: AnyComponent, resources: ResourceSpec) -> int:
    """How many workers share one computation; a map stage's are independent, so their number decides nothing."""
    return resources.workers if getattr(component, "shape", None) is Shape.FIT else 1


def port_types(cell: Cell) -> dict[str, ArtifactType]:
    """The outputs that other cells may read."""
    return {name: port.type for name, port in cell.component.outputs().items()}
