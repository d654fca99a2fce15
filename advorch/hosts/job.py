"""The two ways in which a host meets the engine."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from advorch.artifacts import Outcome
from advorch.components import AnyStageComponent
from advorch.protocols import StageContext

if TYPE_CHECKING:
    from torch import Tensor


class MapJob(Protocol):
    """A map stage opened in a worker: samples `0..count-1` in a fixed order, any slice computed anywhere."""

    count: int
    chunk: int

    def map(self, start: int, stop: int) -> "Mapping[str, Tensor]":
        """Rows for the samples of one chunk; the first axis of every tensor is the sample."""

    def so_far(self, rows: "Mapping[str, Tensor]") -> "Mapping[str, tuple[int, int]]":
        """What the rows of one chunk tell whoever waits: shares by name, as so many of so many."""

    def reduce(self, rows: "Mapping[str, Tensor]") -> Outcome:
        """Outputs and metrics from the rows of all samples, in order."""


class MapHost(Protocol):
    """A host module of map shape."""

    def open_job(self, context: StageContext, component: AnyStageComponent, settings: Any) -> MapJob:
        """Load inputs once; chunks follow."""


class FitHost(Protocol):
    """A host module of fit shape."""

    def run(self, context: StageContext, component: AnyStageComponent, settings: Any) -> Outcome:
        """Do the whole stage; every rank of a gang calls it, rank 0's outcome counts."""
