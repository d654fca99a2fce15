"""A tiny world to plan in: components that do nothing, a store in memory, and pipelines as text."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from advorch.api import (
    Access,
    AnyComponent,
    ArtifactType,
    Attack,
    AttackRef,
    Components,
    Count,
    Dataset,
    Evaluation,
    Generator,
    Goal,
    Kind,
    Location,
    Model,
    Norm,
    Objective,
    Params,
    Perturbation,
    Port,
    Positive,
    Problem,
    Stage,
    ThreatModel,
    expand,
)
from advorch.artifacts import Artifact, FileRecord
from advorch.errors import InvalidPipeline
from advorch.params import SecretMark
from advorch.plan.build import build_plan
from advorch.plan.cells import Settled, Skipped
from advorch.plan.plan import Plan
from advorch.plan.selection import Selection
from advorch.registry.plugin import Plugin
from advorch.registry.registry import Registry
from advorch.spec.load import load_pipeline
from advorch.store.manifest import Manifest


class NoParams(Params):
    pass


class MlpParams(Params):
    width: Count = 64


class PgdParams(Params):
    steps: Count = 10
    alpha: Positive | None = None
    token: Annotated[dict[str, str] | None, SecretMark()] = None


class ErmParams(Params):
    smoothing: float = 0.0


class TradesParams(Params):
    attack: AttackRef
    lambda_: Annotated[Positive, Field(alias="lambda")] = 6.0


class EnsembleParams(Params):
    attacks: tuple[AttackRef, ...] = ()
    by_name: Annotated[dict[str, AttackRef], Field(default_factory=dict)]


class FolderParams(Params):
    root: Location
    normalise: bool = False


class WeightsParams(Params):
    weights: Location | None = None
    access: str = "gradients"


class PatchParams(Params):
    mask: Location | None = None
    size: Count = 5


def _nothing() -> Any:
    raise AssertionError("a plan never loads a component")


def attack(name: str, params: type[Params] = NoParams, **threat: Any) -> Attack[Any]:
    claims = {"access": Access.GRADIENTS, "norms": frozenset({Norm.LINF, Norm.L2})} | threat
    return Attack(name=name, summary="", params=params, load=_nothing, threat=ThreatModel(**claims))


def _digits_files(params: FolderParams) -> Sequence[Path]:
    return [expand(params.root) / name for name in ("x.bin", "y.bin")]


def _weights(params: WeightsParams) -> Sequence[Path]:
    return [expand(params.weights)] if params.weights else []


def _grants(params: WeightsParams) -> Access:
    return Access(params.access)


COMPONENTS: tuple[AnyComponent, ...] = (
    Dataset(name="toy", summary="", params=NoParams, load=_nothing),
    Dataset(name="points", summary="", params=NoParams, load=_nothing, box=None),
    Dataset(name="digits", summary="", params=FolderParams, load=_nothing, files=_digits_files),
    Model(name="mlp", summary="", params=MlpParams, load=_nothing),
    Model(name="remote", summary="", params=WeightsParams, load=_nothing, files=_weights, grants=_grants),
    Objective(name="erm", summary="", params=ErmParams, load=_nothing),
    Objective(name="trades", summary="", params=TradesParams, load=_nothing, stage=Kind.DEFEND),
    Objective(name="ensemble", summary="", params=EnsembleParams, load=_nothing, stage=Kind.DEFEND),
    attack("fgsm", goals=frozenset({Goal.UNTARGETED})),
    attack("pgd", PgdParams, goals=frozenset({Goal.UNTARGETED, Goal.TARGETED})),
    attack("square", access=Access.SCORES, norms=frozenset({Norm.LINF})),
    attack("noise", access=Access.NOTHING),
    attack("patch", PatchParams),
    replace(attack("transfer", access=Access.NOTHING), surrogates=True),
    replace(attack("apply", access=Access.NOTHING), perturbation=True),
    Perturbation(name="universal", summary="", params=NoParams, load=_nothing),
    Generator(name="gan", summary="", params=NoParams, load=_nothing),
    Evaluation(
        name="report",
        summary="",
        params=NoParams,
        load=_nothing,
        ports={
            "models": Port(ArtifactType.MODEL, many=True),
            "attacks": Port(ArtifactType.ADVERSARIAL, many=True, optional=True),
            "data": Port(ArtifactType.DATASET, optional=True),
        },
        metrics=frozenset({"score"}),
    ),
    Stage(
        name="wrap",
        summary="",
        params=NoParams,
        load=_nothing,
        stage=Kind.DEFEND,
        consumes={"model": Port(ArtifactType.MODEL)},
        produces={"model": Port(ArtifactType.MODEL)},
        metrics=frozenset({"accuracy"}),
    ),
    Stage(
        name="nest",
        summary="",
        params=NoParams,
        load=_nothing,
        stage=Kind.ATTACK,
        consumes={"data": Port(ArtifactType.DATASET)},
        produces={"adversarial": Port(ArtifactType.ADVERSARIAL)},
    ),
    Stage(
        name="step",
        summary="",
        params=NoParams,
        load=_nothing,
        stage=Kind.EVALUATE,
        consumes={"tables": Port(ArtifactType.TABLE, many=True, optional=True)},
        produces={"table": Port(ArtifactType.TABLE)},
        metrics=frozenset({"score"}),
    ),
)


def registry_of(components: Components) -> Registry:
    plugin = Plugin(
        name="toys 1.0:toys",
        distribution="toys",
        version="1.0",
        entry_point="toys",
        module="toys",
        components=tuple(components),
    )
    return Registry([plugin])


class Digests:
    """Content digests without a memory."""

    def digests(self, files: Iterable[Path]) -> Mapping[Path, str]:
        return {file: file.read_bytes().hex() for file in files}


def source_of(component: AnyComponent) -> str:
    return f"source of {component.id}"


@dataclass
class World:
    """Builds plans from text, and plays a run: a cell's output is made of its key."""

    folder: Path
    registry: Registry = field(default_factory=lambda: registry_of(COMPONENTS))
    sources: Callable[[AnyComponent], str] = source_of

    def plan(self, text: str, *, overrides: Sequence[str] = (), **selection: Any) -> Plan:
        path = self.folder / "pipeline.yaml"
        spec = load_pipeline(path, overrides=list(overrides), text=textwrap.dedent(text))
        chosen = Selection(**selection)
        return build_plan(spec, self.registry, digests=Digests(), selection=chosen, sources=self.sources)

    def problems(self, text: str) -> list[Problem]:
        with pytest.raises(InvalidPipeline) as caught:
            self.plan(text)
        return caught.value.problems

    def problem(self, text: str) -> Problem:
        problems = self.problems(text)
        assert len(problems) == 1, [problem.render() for problem in problems]
        return problems[0]

    def run(self, plan: Plan, fail: Iterable[str] = (), metrics: Mapping[str, float] | None = None) -> "Ran":
        ran = Ran()
        for address in plan.cells:
            outcome = plan.settle(address, ran.done)
            ran.outcomes[address] = outcome
            failed = isinstance(outcome, Skipped) or address in fail
            ran.done[address] = None if failed else made(outcome, metrics or {})
        return ran

    def keys(self, text: str, **options: Any) -> dict[str, str]:
        return self.run(self.plan(text, **options)).keys()

    def settled(self, text: str, address: str) -> Settled:
        settled = self.run(self.plan(text)).outcomes[address]
        assert isinstance(settled, Settled)
        return settled


@dataclass
class Ran:
    """What became of every cell."""

    done: dict[str, Manifest | None] = field(default_factory=dict)
    outcomes: dict[str, Settled | Skipped] = field(default_factory=dict)

    def keys(self) -> dict[str, str]:
        return {name: item.key for name, item in self.outcomes.items() if isinstance(item, Settled)}


def made(settled: Settled, metrics: Mapping[str, float] = {}, content: str = "") -> Manifest:
    outputs = {
        port: Artifact(type=kind.type, files={"data": FileRecord(content or f"{settled.key}/{port}", 1)})
        for port, kind in settled.cell.component.outputs().items()
    }
    return Manifest(
        key=settled.key,
        parts=settled.parts,
        component=settled.cell.component.id,
        outputs=outputs,
        metrics={name: value for name, value in metrics.items() if name in settled.cell.component.metrics},
    )


class MemoryStore:
    """The two questions that a plan asks of a store."""

    def __init__(self) -> None:
        self.known: dict[str, Manifest] = {}

    def commit(self, manifest: Manifest | None) -> None:
        if manifest:
            self.known[manifest.key] = manifest

    def manifest(self, key: str) -> Manifest | None:
        return self.known.get(key)

    def manifests(self) -> Iterator[Manifest]:
        yield from reversed(self.known.values())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make_manifest() -> Callable[..., Manifest]:
    return made


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder with the two files of the dataset `digits`."""
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "x.bin").write_bytes(b"pixels")
    (folder / "y.bin").write_bytes(b"labels")
    return folder
