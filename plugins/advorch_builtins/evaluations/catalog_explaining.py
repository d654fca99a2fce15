"""Evaluations that show adversarial examples and where they come from (Goodfellow et al. 2015), described."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from advorch.api import (
    AnyComponent,
    ArtifactType,
    AttackRef,
    Count,
    Evaluation,
    EvaluationFn,
    NonNegative,
    Params,
    Port,
    Positive,
    Share,
)
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class TriptychParams(Params):
    """One step along the sign of the gradient."""

    epsilon: Annotated[Positive, Field(description="of the step, in the data's own units")] = 0.007
    rows: Annotated[Count, Field(description="samples in the figure")] = 3
    choose: Annotated[
        Literal["fooled", "first"],
        Field(description="show the first samples that are right before and wrong after, or simply the first"),
    ] = "fooled"


class GalleryParams(Params):
    """Samples with predictions, and one image under every attack."""

    columns: Annotated[Count, Field(description="of the grid")] = 10
    rows: Annotated[Count, Field(description="of the grid, each clean and attacked")] = 3
    compare: Annotated[
        int, Field(ge=0, description="which of the samples that every attack fooled is shown under all of them")
    ] = 0


class LogitsLineParams(Params):
    """A straight line through a sample."""

    epsilon: Annotated[Positive, Field(description="how far to go to either side, the box left aside")] = 10.0
    points: Annotated[Count, Field(ge=5, description="looked at on the line")] = 201
    strip: Annotated[Count, Field(description="of them as images")] = 12
    shown: Annotated[Count, Field(description="samples with a figure of their own, from the first on")] = 1


class RubbishParams(Params):
    """Inputs of no class at all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"attack": {"uses": "fgsm", "with": {"epsilon": 0.1, "targeted": True}}}]}
    )

    noise: Annotated[
        tuple[Literal["uniform", "normal"], ...],
        Field(min_length=1, description="uniform in the box, or normal, which leaves the box"),
    ] = ("uniform", "normal")
    mean: Annotated[float, Field(description="of the normal noise")] = 0.0
    deviation: Annotated[Positive, Field(description="of the normal noise")] = 1.0
    threshold: Annotated[Share, Field(description="a class at a probability above is an error")] = 0.5
    attack: Annotated[
        AttackRef | None, Field(description="a targeted attack that starts at the noise and aims at a drawn class")
    ] = None
    shown: Annotated[Count, Field(description="inputs in the figure")] = 8


class LinearParams(Params):
    """The worst case of a linear model in linf, in closed form and measured."""

    epsilons: Annotated[
        tuple[NonNegative, ...], Field(min_length=1, description="sizes of the ball, in the data's own units")
    ] = (0.05, 0.1, 0.15, 0.2, 0.25)
    sparse: Annotated[Share, Field(description="a weight counts if it is at least so much of the largest")] = 0.01


def _triptych() -> EvaluationFn[TriptychParams]:
    from advorch_builtins.evaluations.triptych import Triptych

    return Triptych()


def _gallery() -> EvaluationFn[GalleryParams]:
    from advorch_builtins.evaluations.gallery import Gallery

    return Gallery()


def _logits_line() -> EvaluationFn[LogitsLineParams]:
    from advorch_builtins.evaluations.logits_line import LogitsLine

    return LogitsLine()


def _rubbish() -> EvaluationFn[RubbishParams]:
    from advorch_builtins.evaluations.rubbish import Rubbish

    return Rubbish()


def _linear() -> EvaluationFn[LinearParams]:
    from advorch_builtins.evaluations.linear import Linear

    return Linear()


TRIPTYCH = Evaluation(
    name="triptych",
    summary="A sample, the sign of its gradient and their sum, each with label and confidence",
    params=TriptychParams,
    load=_triptych,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"fooled_rate", "clean_confidence", "sign_confidence", "adversarial_confidence"}),
)
GALLERY = Evaluation(
    name="gallery",
    summary="Samples with predictions, clean and attacked, and one image under every attack",
    params=GalleryParams,
    load=_gallery,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True),
        "data": Port(ArtifactType.DATASET),
    },
    metrics=frozenset({"clean_accuracy", "robust_accuracy"}),
)
LOGITS_LINE = Evaluation(
    name="logits-line",
    summary="The argument of the softmax for each class along one sign direction, from far below to far above",
    params=LogitsLineParams,
    load=_logits_line,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"wrong_share", "straightness", "first_wrong"}),
)
RUBBISH = Evaluation(
    name="rubbish",
    summary="How often and how confidently noise of no class is taken for a class",
    params=RubbishParams,
    load=_rubbish,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"rubbish_error", "rubbish_confidence"}),
)
LINEAR = Evaluation(
    name="linear",
    summary="Linear models against the sign of the gradient: what theory says, and what is measured",
    params=LinearParams,
    load=_linear,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"clean_accuracy", "robust_accuracy", "exact_robust_accuracy", "gain_error", "weight_l1"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (TRIPTYCH, GALLERY, LOGITS_LINE, RUBBISH, LINEAR)
