"""Defences that leave a model as it is and put something around it, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    AnyComponent,
    ArtifactType,
    AttackRef,
    Count,
    Kind,
    Port,
    Positive,
    Share,
    Stage,
    StageFn,
)
from advorch_builtins.models.catalog_around import (
    DetectedOptions,
    SmoothedOptions,
    SqueezedOptions,
    TransformedOptions,
)

FalseAlarms = Annotated[
    Share, Field(description="of the clean samples that the threshold is set on, how many at most are refused")
]


class DetectorParams(DetectedOptions):
    """A network that learns to tell adversarial samples of one attack from clean ones."""

    attack: Annotated[AttackRef, Field(description="makes the samples to be detected, with its own epsilon and norm")]
    samples: Annotated[Count | None, Field(description="train on only the first so many samples")] = None
    epochs: Annotated[Count, Field(description="of the detector's training, by Adam")] = 50
    batch: Count = 128
    lr: Positive = 1e-3
    false_alarms: FalseAlarms = 0.05


class SqueezingParams(SqueezedOptions):
    """Squeezers, and how often they may be wrong about clean samples."""

    false_alarms: FalseAlarms = 0.05


def _smoothing() -> StageFn[SmoothedOptions]:
    from advorch_builtins.defenses.smoothing import run

    return run


def _transformed() -> StageFn[TransformedOptions]:
    from advorch_builtins.defenses.transformed import run

    return run


def _detector() -> StageFn[DetectorParams]:
    from advorch_builtins.defenses.detector import run

    return run


def _squeezing() -> StageFn[SqueezingParams]:
    from advorch_builtins.defenses.squeezing import run

    return run


_MODEL = Port(ArtifactType.MODEL)
_DATA = Port(ArtifactType.DATASET)
_MEASURED = {"model": _MODEL, "data": Port(ArtifactType.DATASET, optional=True)}

COMPONENTS: tuple[AnyComponent, ...] = (
    Stage(
        name="smoothing",
        summary="a model's vote under gaussian noise, drawn anew for each question: what attacks meet of smoothing",
        params=SmoothedOptions,
        load=_smoothing,
        stage=Kind.DEFEND,
        metrics=frozenset({"clean_accuracy"}),
        consumes=_MEASURED,
        produces={"model": _MODEL},
    ),
    Stage(
        name="transformed",
        summary="a model behind blur, median, bit depth or JPEG, whose gradient may be passed by (BPDA)",
        params=TransformedOptions,
        load=_transformed,
        stage=Kind.DEFEND,
        metrics=frozenset({"clean_accuracy"}),
        consumes=_MEASURED,
        produces={"model": _MODEL},
    ),
    Stage(
        name="detector",
        summary="a model that refuses what a detector, trained on one attack, takes for adversarial",
        params=DetectorParams,
        load=_detector,
        stage=Kind.DEFEND,
        metrics=frozenset({"loss", "auroc", "false_alarms", "detected", "fooled", "threshold"}),
        consumes={"model": _MODEL, "data": _DATA},
        produces={"model": _MODEL},
    ),
    Stage(
        name="squeezing",
        summary="a model that refuses what it takes for something else when squeezed; nothing is trained",
        params=SqueezingParams,
        load=_squeezing,
        stage=Kind.DEFEND,
        metrics=frozenset({"false_alarms", "threshold"}),
        consumes={"model": _MODEL, "data": _DATA},
        produces={"model": _MODEL},
    ),
)
