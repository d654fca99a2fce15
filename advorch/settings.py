"""The parameters that a stage's host adds to those of the component it adapts."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.params import AttackRef, Count, ModelRef, NonNegative, Params, Positive, Share
from advorch.threat import Norm


class ThreatSettings(Params):
    """What the attacker may change: belongs to the host, wherever an attack is used."""

    epsilon: Annotated[NonNegative, Field(description="size of the ball, in the data's own units")]
    norm: Annotated[Norm, Field(description="how a perturbation is measured")] = Norm.LINF
    targeted: Annotated[bool, Field(description="aim at a drawn wrong class instead of any")] = False


class AttackSettings(ThreatSettings):
    """An attack stage."""

    samples: Annotated[Count | None, Field(description="attack only the first so many samples")] = None
    chunk: Annotated[Count, Field(description="samples computed and committed together")] = 128


class OptimizerSettings(Params):
    """How weights are updated."""

    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "adam"
    lr: Positive = 1e-3
    momentum: Share = 0.9
    weight_decay: NonNegative = 0.0
    schedule: Literal["constant", "cosine", "step", "cyclic"] = "constant"
    milestones: Annotated[
        tuple[Share, ...], Field(description="shares of training at which `step` divides lr by 10")
    ] = (
        0.5,
        0.75,
    )


class TrainingSettings(OptimizerSettings):
    """A train or defend stage."""

    model: Annotated[ModelRef | None, Field(description="architecture; not needed when a model port is connected")] = (
        None
    )
    epochs: Count = 10
    batch: Count = 128
    precision: Literal["fp32", "fp64", "bf16"] = "fp32"
    augment: Literal["none", "shift", "crop-flip"] = "none"
    validate_with: Annotated[AttackRef | None, Field(description="attack for robust validation accuracy")] = None
    keep: Annotated[Literal["last", "best"], Field(description="which epoch's weights are the output")] = "last"
    patience: Annotated[Count | None, Field(description="stop after so many epochs without a better validation")] = None
    checkpoint_every: Annotated[Count, Field(description="epochs between checkpoints")] = 1


class GameSettings(Params):
    """A generate stage."""

    steps: Annotated[Count, Field(description="generator updates")] = 1000
    batch: Count = 128
    samples: Annotated[Count, Field(description="how many samples the stage hands on")] = 1000
    checkpoint_every: Annotated[Count, Field(description="generator updates between checkpoints")] = 200


class EvaluationSettings(Params):
    """An evaluate stage."""

    chunk: Annotated[Count, Field(description="samples computed and committed together")] = 256
