"""A pipeline file, checked in shape and typed; names of components and ports are left to the plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from advorch.errors import Problem
from advorch.spec.nodes import ListNode, MapNode, Mark, Node, Scalar
from advorch.spec.pins import Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """One entry of `data:`; splits map a name to an expression such as `train[:55000]`."""

    name: str
    mark: Mark
    uses: Scalar
    with_: MapNode | None
    splits: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySpec:
    """How often, and after which classes of error, a stage is tried again."""

    max: int = 0
    on: tuple[str, ...] = ("node_lost", "preempted")
    delay: float = 1.0
    factor: float = 2.0
    longest: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSpec:
    """What one worker holds, and how many workers there are."""

    cpus: float = 1
    gpus: float = 0
    memory: int = 0
    workers: int = 1
    placement: Literal["pack", "spread"] = "pack"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSpec:
    """Axes in order, each a list of values, and the cells that are left out."""

    axes: Mapping[str, ListNode | Scalar]
    exclude: tuple[MapNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSpec:
    """A search: parsed and typed here, run elsewhere."""

    mark: Mark
    space: Mapping[str, Node]
    objectives: tuple[MapNode, ...]
    constraints: tuple[Scalar, ...] = ()
    search: MapNode | None = None
    scheduler: MapNode | None = None
    budget: MapNode | None = None
    promote: MapNode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One entry of `stages:`."""

    name: str
    mark: Mark
    uses: Scalar | None
    inputs: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    many: frozenset[str] = frozenset()
    with_: MapNode | None = None
    matrix: MatrixSpec | None = None
    when: Scalar | None = None
    needs: tuple[Scalar, ...] = ()
    on_failure: Literal["stop", "continue"] = "stop"
    retry: RetrySpec = RetrySpec()
    timeout: float | None = None
    limits: Mapping[str, Scalar] = field(default_factory=dict)
    resources: ResourceSpec = ResourceSpec()
    seed: Scalar | None = None
    tune: TuneSpec | None = None
    stages: Mapping[str, "StageSpec"] = field(default_factory=dict)
    out: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSpec:
    """Where a run is recorded besides its journal."""

    enabled: bool = True
    experiment: str = ""
    uri: str = ""
    models: tuple[Scalar, ...] | None = None
    log_samples: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """The whole file after includes, profile and overrides."""

    path: Path
    name: str
    seed: int
    params: Mapping[str, Node]
    data: Mapping[str, DataSpec]
    stages: Mapping[str, StageSpec]
    tracking: TrackingSpec
    limits: Mapping[str, float] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    address: str = ""
    dashboard: str = ""
    storage: str = ""
    deadline: float | None = None
    profile: str = ""
    root: MapNode
    sources: tuple[Path, ...] = ()
    pins: Mapping[str, Pin] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
