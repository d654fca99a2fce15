"""The functions behind components, and what the engine lends to them: shapes only, for type checkers and readers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from advorch.artifacts import Input, Outcome
from advorch.params import Params

if TYPE_CHECKING:
    from torch import Tensor, nn

    from advorch.artifacts import Signature
    from advorch.components import AnyComponent
    from advorch.kit.adversary.game import Game
    from advorch.kit.attack.draws import Draws
    from advorch.kit.attack.victim import Victim
    from advorch.kit.data import Data
    from advorch.kit.evaluation.findings import Findings
    from advorch.kit.evaluation.subject import Subject
    from advorch.kit.perturbation.fitting import FitTask, Fitting
    from advorch.kit.training.parts import Parts, Site
    from advorch.kit.training.step import Step
    from advorch.seeds import Seeds

P_contra = TypeVar("P_contra", bound=Params, contravariant=True)


class AttackFn(Protocol[P_contra]):
    """Perturb one batch inside `victim.ball(x)`; failures come back as best effort."""

    def __call__(self, victim: "Victim", x: "Tensor", y: "Tensor", params: P_contra, rng: "Draws", /) -> "Tensor": ...


class PerturbationFn(Protocol[P_contra]):
    """How one perturbation is fitted to what the task says."""

    def __call__(self, task: "FitTask", params: P_contra, /) -> "Fitting": ...


class ObjectiveFn(Protocol[P_contra]):
    """The loss of one training step."""

    def __call__(self, step: "Step", params: P_contra, /) -> "Tensor": ...


class PartFn(Protocol[P_contra]):
    """The pieces for one training."""

    def __call__(self, site: "Site", params: P_contra, /) -> "Parts": ...


class GeneratorFn(Protocol[P_contra]):
    """The players of a game over data of this signature, their losses and how to sample."""

    def __call__(self, params: P_contra, signature: "Signature", /) -> "Game": ...


class EvaluationFn(Protocol[P_contra]):
    """Rows for each sample, then findings from all rows."""

    def map(self, subject: "Subject", batch: "Data", params: P_contra, /) -> "Mapping[str, Tensor]": ...

    def reduce(self, subject: "Subject", rows: "Mapping[str, Tensor]", params: P_contra, /) -> "Findings": ...


class DatasetFn(Protocol[P_contra]):
    """Load one named split."""

    def __call__(self, params: P_contra, split: str, /) -> "Data": ...


class ModelFn(Protocol[P_contra]):
    """Construct the architecture, freshly initialised, on raw values of the data."""

    def __call__(self, params: P_contra, signature: "Signature", /) -> "nn.Module": ...


class WrapperFn(Protocol[P_contra]):
    """Construct what surrounds an architecture that is there already, on raw values of the data."""

    def __call__(self, params: P_contra, signature: "Signature", inner: "nn.Module", /) -> "nn.Module": ...


class StageFn(Protocol[P_contra]):
    """A whole stage, when nothing smaller will do."""

    def __call__(self, context: "StageContext", params: P_contra, /) -> Outcome: ...


class StageContext(Protocol):
    """What a host or a stage may ask of the engine, the same inline, on an actor, in a gang and in a trial."""

    rank: int
    world_size: int
    device: str
    seeds: "Seeds"
    scratch: Path
    inputs: Mapping[str, tuple[Input, ...]]

    def report(self, metrics: Mapping[str, float], *, step: int, checkpoint: Path | None = None) -> None:
        """Tell progress; commit the checkpoint folder if given; raises `Stopped` when asked to stop.

        Every rank calls it at the same steps; rank 0's checkpoint is committed and a barrier follows.
        """

    def resume(self) -> Path | None:
        """The newest committed checkpoint of this cell, as a folder, or None."""

    def lookup(self, component: str) -> "AnyComponent":
        """A component by id, for those nested in parameters."""
