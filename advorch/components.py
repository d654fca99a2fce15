"""What a plugin contributes: descriptions that are cheap to import, each with a thunk that loads the work."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import PydanticUserError, create_model

from advorch import settings
from advorch.artifacts import ArtifactType
from advorch.errors import PluginError
from advorch.params import Params
from advorch.protocols import (
    AttackFn,
    DatasetFn,
    EvaluationFn,
    GeneratorFn,
    ModelFn,
    ObjectiveFn,
    PartFn,
    PerturbationFn,
    StageFn,
    WrapperFn,
)
from advorch.threat import Access, Box, Goal, ThreatModel

API = 1

P = TypeVar("P", bound=Params)
F_co = TypeVar("F_co", covariant=True)


class Kind(StrEnum):
    """What a stage does; the part of `uses:` before the slash."""

    TRAIN = "train"
    ATTACK = "attack"
    DEFEND = "defend"
    GENERATE = "generate"
    EVALUATE = "evaluate"


class Shape(StrEnum):
    """How a stage executes: one long computation with checkpoints, many samples in chunks, or other stages often."""

    FIT = "fit"
    MAP = "map"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Port:
    """An opening of a stage through which artifacts of one type enter or leave."""

    type: ArtifactType
    many: bool = False
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Component(Generic[P, F_co]):
    """What every contribution has; `load` imports the implementation when it is first needed."""

    family: ClassVar[str]
    host: ClassVar[str] = ""
    host_settings: ClassVar[type[Params]] = Params
    nested_settings: ClassVar[type[Params]] = Params

    name: str
    summary: str
    params: type[P]
    load: Callable[[], F_co]
    api: int = API

    @property
    def kind(self) -> str:
        """The part of the id before the slash."""
        return self.family

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"

    def schema(self) -> type[P]:
        """The parameters of a stage that uses this: the component's own and its host's, flat."""
        return _joined(self.name, self.params, self.host_settings)

    def nested_schema(self) -> type[P]:
        """The parameters where this is named inside another component's."""
        return _joined(self.name, self.params, self.nested_settings)


@functools.cache
def _joined(name: str, own: type[P], host: type[Params]) -> type[P]:
    apart = not issubclass(own, host) and not issubclass(host, own)
    both = sorted(own.model_fields.keys() & host.model_fields.keys()) if apart else []
    if both:
        raise PluginError(f"{own.__module__}: '{name}' has a parameter that its host has too: {both[0]}", hint=_HINT)
    bases: tuple[Any, ...] = (own, host) if apart else (own if issubclass(own, host) else host,)
    joined: type[P] = create_model(name, __base__=bases, __module__=own.__module__)
    try:
        joined.model_rebuild()  # here, where one thread plans, not at the first use in one of many
    except (PydanticUserError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise PluginError(
            f"{own.__module__}: the parameters of '{name}' make no model: {reason}", hint=_HINT
        ) from error
    return joined


_HINT = "a mistake of the plugin: switch it off with --no-plugin, or see `advorch plugin check`"


@dataclass(frozen=True, kw_only=True)
class StageComponent(Component[P, F_co]):
    """What may stand behind `uses:` of a stage; `reported` are metrics of its steps that are not final ones too."""

    shape: ClassVar[Shape]
    metrics: frozenset[str] = frozenset()
    reported: frozenset[str] = frozenset()
    time: str = ""

    def inputs(self) -> Mapping[str, Port]:
        """The ports that `in:` may connect."""
        raise NotImplementedError

    def outputs(self) -> Mapping[str, Port]:
        """The ports that other stages may read; every stage has its metrics besides."""
        raise NotImplementedError


_DATA = Port(ArtifactType.DATASET)
_OPTIONAL_DATA = Port(ArtifactType.DATASET, optional=True)
_MODEL = Port(ArtifactType.MODEL)


def no_files(params: Params) -> Sequence[Path]:
    """For what is bundled or made: its parameters say everything."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Attack(StageComponent[P, AttackFn[P]]):
    """A pure callable on a batch: attack stage, inner attack of any defence, report and sanity checks come free.

    One that is `pooled` takes more samples than the victim's batch and keeps to it by itself, as the loop of
    `advorch.kit.attack.loop` does: who is fooled makes room for the next.
    """

    family: ClassVar[str] = "attack"
    host: ClassVar[str] = "advorch.hosts.attack"
    host_settings: ClassVar[type[Params]] = settings.AttackSettings
    nested_settings: ClassVar[type[Params]] = settings.ThreatSettings
    shape: ClassVar[Shape] = Shape.MAP

    threat: ThreatModel
    surrogates: bool = False
    perturbation: bool = False
    pooled: bool = False
    candidates: bool = False
    files: Callable[[P], Sequence[Path]] = no_files
    metrics: frozenset[str] = frozenset(
        {
            "clean_accuracy", "robust_accuracy", "success_rate",
            "found_rate", "mean_distance", "median_distance", "relative_distance", "mean_queries", "median_first_step",
            "success_rate_unrounded",
        }
    )  # fmt: skip

    def inputs(self) -> Mapping[str, Port]:
        others = {"surrogates": Port(ArtifactType.MODEL, many=True)} if self.surrogates else {}
        others |= {"perturbation": Port(ArtifactType.PERTURBATION)} if self.perturbation else {}
        others |= {"candidates": _OPTIONAL_DATA} if self.candidates else {}
        return {"model": _MODEL, "data": _DATA, **others}

    def outputs(self) -> Mapping[str, Port]:
        return {"adversarial": Port(ArtifactType.ADVERSARIAL)}


@dataclass(frozen=True, kw_only=True)
class Perturbation(StageComponent[P, PerturbationFn[P]]):
    """One perturbation fitted over a data set; minibatches, checkpoints and the artifact come free."""

    family: ClassVar[str] = "perturbation"
    host: ClassVar[str] = "advorch.hosts.perturbation"
    host_settings: ClassVar[type[Params]] = settings.PerturbationSettings
    shape: ClassVar[Shape] = Shape.FIT

    access: Access = Access.GRADIENTS
    goals: frozenset[Goal] = frozenset({Goal.UNTARGETED, Goal.TARGETED})
    metrics: frozenset[str] = frozenset({"loss", "reached"})
    time: str = "step"

    @property
    def kind(self) -> str:
        return Kind.ATTACK.value

    def inputs(self) -> Mapping[str, Port]:
        return {"model": _MODEL, "data": _DATA}

    def outputs(self) -> Mapping[str, Port]:
        return {"perturbation": Port(ArtifactType.PERTURBATION)}


@dataclass(frozen=True, kw_only=True)
class Objective(StageComponent[P, ObjectiveFn[P]]):
    """The loss of a training step; the trainer core brings everything else.

    A `teacher` is a model that it may ask; what it `brings` is a part that belongs to the recipe, with its parameters.
    """

    family: ClassVar[str] = "objective"
    host: ClassVar[str] = "advorch.hosts.training"
    host_settings: ClassVar[type[Params]] = settings.TrainingSettings
    shape: ClassVar[Shape] = Shape.FIT

    stage: Kind = Kind.TRAIN
    teacher: bool = False
    brings: Callable[[], PartFn[P]] | None = None
    metrics: frozenset[str] = frozenset(
        {"loss", "accuracy", "clean_accuracy", "robust_accuracy", "worst_class_accuracy", "epochs"}
    )
    time: str = "epoch"

    @property
    def kind(self) -> str:
        return self.stage.value

    def inputs(self) -> Mapping[str, Port]:
        model = Port(ArtifactType.MODEL, optional=True)
        others = {"teacher": model} if self.teacher else {}
        return {"data": _DATA, "validation": _OPTIONAL_DATA, "unlabelled": _OPTIONAL_DATA, "model": model, **others}

    def outputs(self) -> Mapping[str, Port]:
        return {"model": _MODEL}


@dataclass(frozen=True, kw_only=True)
class Part(Component[P, PartFn[P]]):
    """What any loss may be trained with: a penalty, a descent, a sampler, an average, a watcher."""

    family: ClassVar[str] = "part"


@dataclass(frozen=True, kw_only=True)
class Generator(StageComponent[P, GeneratorFn[P]]):
    """Players, losses and sampling; the game loop brings everything else.

    One that is `labelled` also learns from minibatches of a second, labelled set of samples; one of `words` takes word
    numbers instead of real ones.
    """

    family: ClassVar[str] = "generate"
    host: ClassVar[str] = "advorch.hosts.generation"
    host_settings: ClassVar[type[Params]] = settings.GameSettings
    shape: ClassVar[Shape] = Shape.FIT

    time: str = "step"
    labelled: bool = False
    words: bool = False

    def inputs(self) -> Mapping[str, Port]:
        return {"data": _DATA} | ({"labelled": _DATA} if self.labelled else {})

    def outputs(self) -> Mapping[str, Port]:
        return {"generator": Port(ArtifactType.GENERATOR), "samples": Port(ArtifactType.SAMPLES)}


@dataclass(frozen=True, kw_only=True)
class Evaluation(StageComponent[P, EvaluationFn[P]]):
    """Rows by sample and findings from all rows; its ports are its own. One of `refusals` is for models that refuse."""

    family: ClassVar[str] = "evaluate"
    host: ClassVar[str] = "advorch.hosts.evaluation"
    host_settings: ClassVar[type[Params]] = settings.EvaluationSettings
    shape: ClassVar[Shape] = Shape.MAP

    ports: Mapping[str, Port] = field(default_factory=dict)
    refusals: bool = False

    def inputs(self) -> Mapping[str, Port]:
        return self.ports

    def outputs(self) -> Mapping[str, Port]:
        return {"table": Port(ArtifactType.TABLE), "report": Port(ArtifactType.REPORT)}


@dataclass(frozen=True, kw_only=True)
class Stage(StageComponent[P, StageFn[P]]):
    """Full control over a fit-shaped stage of any kind."""

    family: ClassVar[str] = "stage"
    host: ClassVar[str] = "advorch.hosts.stage"
    shape: ClassVar[Shape] = Shape.FIT

    stage: Kind
    consumes: Mapping[str, Port] = field(default_factory=dict)
    produces: Mapping[str, Port] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.stage.value

    def inputs(self) -> Mapping[str, Port]:
        return self.consumes

    def outputs(self) -> Mapping[str, Port]:
        return self.produces


@dataclass(frozen=True, kw_only=True)
class Dataset(Component[P, DatasetFn[P]]):
    """A loader by name; `files` lists what it reads, so that the data's content enters the keys."""

    family: ClassVar[str] = "dataset"

    splits: tuple[str, ...] = ("train", "test")
    box: Box | None = (0.0, 1.0)
    files: Callable[[P], Sequence[Path]] = no_files


def grants_gradients(params: Params) -> Access:
    """What a model is taken to allow unless it says otherwise."""
    return Access.GRADIENTS


@dataclass(frozen=True, kw_only=True)
class Model(Component[P, ModelFn[P]]):
    """A constructor by name; `grants` says what an attacker may ask of the result."""

    family: ClassVar[str] = "model"

    grants: Callable[[P], Access] = grants_gradients
    files: Callable[[P], Sequence[Path]] = no_files


@dataclass(frozen=True, kw_only=True)
class Wrapper(Component[P, WrapperFn[P]]):
    """An architecture around another, which its parameter `inner` names; it grants what that one grants.

    One that is `random` draws anew in every forward pass, in evaluation too. One of `codes` surrounds a generator and
    the model behind it, and takes the generator's codes. One that `refuses` has a logit more than there are classes,
    the last, and sets `refuses` on its module: it is largest where no answer is given.
    """

    family: ClassVar[str] = "model"

    random: bool = False
    refuses: bool = False
    codes: bool = False


AnyComponent = Component[Any, Any]
AnyStageComponent = StageComponent[Any, Any]
Components = Iterable[AnyComponent]
