"""Training without an adversary: what every defence is compared with."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    AnyComponent,
    ArtifactType,
    Components,
    Kind,
    ModelRef,
    Objective,
    ObjectiveFn,
    Params,
    Port,
    Share,
    Stage,
    StageFn,
    hookimpl,
)


class ErmParams(Params):
    """Empirical risk minimisation."""

    label_smoothing: Annotated[Share, Field(description="share of the label that is spread over all classes")] = 0.0


class PretrainedParams(Params):
    """A model that needs no training."""

    model: Annotated[ModelRef, Field(description="usually `imported`, with its target and weights")]
    label: Annotated[str, Field(description="what reports call it; default: pretrained and the architecture")] = ""


def _erm() -> ObjectiveFn[ErmParams]:
    from advorch_builtins.training.erm import loss

    return loss


def _pretrained() -> StageFn[PretrainedParams]:
    from advorch_builtins.training.pretrained import run

    return run


ERM = Objective(name="erm", summary="plain training: mean cross-entropy on clean samples", params=ErmParams, load=_erm)
PRETRAINED = Stage(
    name="pretrained",
    summary="take a model as it is, with your own weights, for data that says its shape and classes",
    params=PretrainedParams,
    load=_pretrained,
    stage=Kind.TRAIN,
    metrics=frozenset({"clean_accuracy"}),
    consumes={"data": Port(ArtifactType.DATASET)},
    produces={"model": Port(ArtifactType.MODEL)},
)


@hookimpl
def advorch_components() -> Components:
    """Every way of training that knows no adversary."""
    every: tuple[AnyComponent, ...] = (ERM, PRETRAINED)
    return every
