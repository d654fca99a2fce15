"""Training without an adversary: what every defence is compared with."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from advorch.api import (
    AnyComponent,
    ArtifactType,
    Components,
    Kind,
    ModelRef,
    NonNegative,
    Objective,
    ObjectiveFn,
    Params,
    PartFn,
    Port,
    Share,
    Stage,
    StageFn,
    hookimpl,
)
from advorch.kit.perturbation.scene import Scene
from advorch.kit.training.loss_names import LossName
from advorch_builtins.parts import params as parts


class ErmParams(Params):
    """Empirical risk minimisation."""

    label_smoothing: Annotated[Share, Field(description="share of the label that is spread over all classes")] = 0.0
    loss: LossName = "cross-entropy"

    @model_validator(mode="after")
    def _smooth_alone(self) -> Self:
        """Only the cross-entropy has a label that can be spread."""
        if self.label_smoothing and self.loss != "cross-entropy":
            raise ValueError(f"`label_smoothing` is for the cross-entropy, not for `loss: {self.loss}`")
        return self


class SparseParams(ErmParams):
    """Empirical risk minimisation with few weights."""

    lambda_: Annotated[
        NonNegative, Field(alias="lambda", description="weight in the loss of the sum of all absolute weights")
    ] = 1e-3


class SamParams(ErmParams, parts.SamParams):
    """Empirical risk minimisation where the loss is flat."""


class PosedParams(Params):
    """Training on photographs of the samples."""

    scene: Annotated[Scene, Field(description="how each sample is shown, drawn anew in every step")] = Scene()
    unposed: Annotated[Share, Field(description="share of a batch that is shown as it is")] = 0.25


class PretrainedParams(Params):
    """A model that needs no training."""

    model: Annotated[ModelRef, Field(description="usually `imported`, with its target and weights")]
    label: Annotated[str, Field(description="what reports call it; default: pretrained and the architecture")] = ""


def _erm() -> ObjectiveFn[ErmParams]:
    from advorch_builtins.training.erm import loss

    return loss


def _sam() -> PartFn[parts.SamParams]:
    from advorch_builtins.parts.sharpness import sam

    return sam


def _posed() -> ObjectiveFn[PosedParams]:
    from advorch_builtins.training.posed import loss

    return loss


def _sparse() -> ObjectiveFn[SparseParams]:
    from advorch_builtins.training.sparse import loss

    return loss


def _pretrained() -> StageFn[PretrainedParams]:
    from advorch_builtins.training.pretrained import run

    return run


ERM = Objective(name="erm", summary="plain training: mean cross-entropy on clean samples", params=ErmParams, load=_erm)
SAM = Objective(
    name="sam",
    summary="sharpness-aware minimisation: the gradient where the loss is worst around the weights (SAM, ASAM)",
    params=SamParams,
    load=_erm,
    brings=_sam,
)
POSED = Objective(
    name="posed",
    summary="plain training on each sample as a camera sees it: on plates, balls or cans, turned, lit and blurred",
    params=PosedParams,
    load=_posed,
)
SPARSE = Objective(
    name="sparse",
    summary="plain training with an l1 penalty on the weights, which keeps few of them far from zero",
    params=SparseParams,
    load=_sparse,
)
PRETRAINED = Stage(
    name="pretrained",
    summary="take a model as it is, with your own weights, for data that says its shape and classes",
    params=PretrainedParams,
    load=_pretrained,
    stage=Kind.TRAIN,
    metrics=frozenset({"clean_accuracy", "worst_class_accuracy"}),
    consumes={"data": Port(ArtifactType.DATASET)},
    produces={"model": Port(ArtifactType.MODEL)},
)


@hookimpl
def advorch_components() -> Components:
    """Every way of training that knows no adversary."""
    from advorch_builtins.training import catalog_noise, catalog_stability, catalog_substitute, catalog_vat

    own: tuple[AnyComponent, ...] = (ERM, SAM, SPARSE, POSED, PRETRAINED)
    return (*own, *catalog_substitute.COMPONENTS, *catalog_noise.COMPONENTS, *catalog_vat.COMPONENTS,
            *catalog_stability.COMPONENTS)  # fmt: skip
