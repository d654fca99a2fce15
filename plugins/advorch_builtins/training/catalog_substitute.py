"""Training on what another model says, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    AnyComponent,
    ArtifactType,
    Count,
    Kind,
    ModelRef,
    Params,
    Port,
    Positive,
    Stage,
    StageFn,
)


class SubstituteParams(Params):
    """A model of the attacker's own, that learns from the labels of another."""

    model: Annotated[ModelRef, Field(description="architecture, which need not be that of the model asked")]
    rounds: Annotated[Count, Field(description="trainings; between two of them the samples double")] = 6
    epochs: Annotated[Count, Field(description="of each training")] = 10
    batch: Count = 128
    lr: Annotated[Positive, Field(description="learning rate of Adam")] = 1e-3
    lambda_: Annotated[
        Positive, Field(alias="lambda", description="how far new samples are from old ones, in the data's own units")
    ] = 0.1
    period: Annotated[
        Count | None, Field(description="rounds after which new samples lie on the other side; by default never")
    ] = None
    most: Annotated[
        Count | None, Field(description="new samples of a round at most, drawn from all; by default no limit")
    ] = None


def _substitute() -> StageFn[SubstituteParams]:
    from advorch_builtins.training.substitute import run

    return run


SUBSTITUTE = Stage(
    name="substitute",
    summary="a copy of a model that gives labels alone, from samples chosen where the copy is sensitive",
    params=SubstituteParams,
    load=_substitute,
    stage=Kind.TRAIN,
    metrics=frozenset({"queries", "agreement", "samples"}),
    time="round",
    consumes={
        "model": Port(ArtifactType.MODEL),
        "data": Port(ArtifactType.DATASET),
        "validation": Port(ArtifactType.DATASET, optional=True),
    },
    produces={"model": Port(ArtifactType.MODEL)},
)

COMPONENTS: tuple[AnyComponent, ...] = (SUBSTITUTE,)
