"""Stages with a known course, for tests of the engine: they walk, fail, hang and die on request."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import (
    Access,
    ArtifactType,
    Attack,
    AttackFn,
    Components,
    Kind,
    Norm,
    Params,
    Port,
    Secret,
    Stage,
    StageFn,
    ThreatModel,
    hookimpl,
)


class WalkParams(Params):
    """A random walk with a checkpoint a step."""

    steps: int = 3
    start: float = 0.0
    pause: Annotated[float, Field(description="seconds a step")] = 0.0
    diary: Annotated[str, Field(description="a file that gets a line for every step computed")] = ""
    trouble: Literal["none", "user", "oom", "nan", "lost", "hang", "exit"] = "none"
    at: int = 2
    once: Annotated[str, Field(description="trouble only while this file is missing, and then made")] = ""
    password: Secret | None = None


class NoParams(Params):
    """Nothing to choose."""


class DeadlyParams(Params):
    """An attack that may kill its worker."""

    diary: Annotated[str, Field(description="a file that gets a line for every chunk computed")] = ""
    once: Annotated[str, Field(description="dies while this file is missing, and then made")] = ""
    after: int = 3  # lines of the diary
    pause: Annotated[float, Field(description="seconds a call")] = 0.0


def _load_walk() -> StageFn[WalkParams]:
    from advorch_lab.walk import walk

    return walk


def _load_join() -> StageFn[NoParams]:
    from advorch_lab.walk import join

    return join


def _load_nothing() -> StageFn[NoParams]:
    from advorch_lab.walk import nothing

    return nothing


def _load_deadly() -> AttackFn[DeadlyParams]:
    from advorch_lab.walk import deadly

    return deadly


TABLE = {"table": Port(ArtifactType.TABLE)}


@hookimpl
def advorch_components() -> Components:
    """The lab's stages."""
    return [
        Stage(
            name="walk", summary="A random walk", params=WalkParams, load=_load_walk, stage=Kind.TRAIN,
            consumes={"table": Port(ArtifactType.TABLE, optional=True)}, produces=TABLE,
            metrics=frozenset({"end"}), reported=frozenset({"place"}), time="step",
        ),
        Stage(
            name="join", summary="Adds walks up", params=NoParams, load=_load_join, stage=Kind.EVALUATE,
            consumes={"tables": Port(ArtifactType.TABLE, many=True)}, produces=TABLE, metrics=frozenset({"total"}),
        ),
        Attack(
            name="deadly", summary="Random noise from a worker that dies", params=DeadlyParams, load=_load_deadly,
            threat=ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF}), stochastic=True),
        ),
        Stage(name="nothing", summary="Does nothing", params=NoParams, load=_load_nothing, stage=Kind.TRAIN),
    ]  # fmt: skip
