"""Evaluations of what training does to models, described."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from advorch.api import AnyComponent, ArtifactType, AttackRef, Count, Evaluation, EvaluationFn, Params, Port, Positive
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class TrainingCurvesParams(Params):
    """What trainings recorded after each epoch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"metrics": ["loss", "clean_accuracy"]}]})

    metrics: Annotated[
        tuple[str, ...], Field(description="which of the recorded numbers; by default all, the loss first")
    ] = ()
    log: Annotated[tuple[str, ...], Field(description="of them, those drawn on a logarithmic axis")] = ()


class ClassAccuracyParams(Params):
    """Accuracy class by class, clean and under every attack that was run."""

    shown: Annotated[
        Count, Field(description="classes in the figure: of more, as many of the weakest and of the strongest")
    ] = 20


class SaliencyParams(Params):
    """Gradients of class scores in the input."""

    of: Annotated[
        Literal["score", "lead"], Field(description="of the predicted class: its logit, or that less the runner-up's")
    ] = "score"
    shown: Annotated[Count, Field(description="samples in the figure, of those that all models get right")] = 8


class DescentDirectionsParams(Params):
    """Where the worst case goes when weights move."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"attack": {"uses": "pgd", "with": {"epsilon": 0.1, "steps": 2}}, "draws": 3, "points": 3, "singles": 2}
            ]
        }
    )

    attack: Annotated[AttackRef, Field(description="one with a random start, which ends at several maximisers")]
    draws: Annotated[int, Field(ge=2, description="maximisers for each batch, each with a gradient of its own")] = 10
    singles: Annotated[Count, Field(description="of these gradients, those that are followed alone")] = 5
    batch: Annotated[Count, Field(description="samples whose loss is one; cut from the data in order")] = 128
    batches: Annotated[Count, Field(description="so many at most")] = 4
    reach: Annotated[Positive, Field(description="how far the weights go along a direction, in their l2 norm")] = 0.5
    points: Annotated[int, Field(ge=2, description="looked at on the way, the start left aside")] = 10


def _training_curves() -> EvaluationFn[TrainingCurvesParams]:
    from advorch_builtins.evaluations.training_curves import TrainingCurves

    return TrainingCurves()


def _class_accuracy() -> EvaluationFn[ClassAccuracyParams]:
    from advorch_builtins.evaluations.class_accuracy import ClassAccuracy

    return ClassAccuracy()


def _saliency() -> EvaluationFn[SaliencyParams]:
    from advorch_builtins.evaluations.saliency import Saliency

    return Saliency()


def _descent_directions() -> EvaluationFn[DescentDirectionsParams]:
    from advorch_builtins.evaluations.descent_directions import DescentDirections

    return DescentDirections()


TRAINING_CURVES = Evaluation(
    name="training-curves",
    summary="Loss, accuracies and whatever else was recorded over the epochs of trainings, models of one label as one",
    params=TrainingCurvesParams,
    load=_training_curves,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"clean_accuracy", "epochs"}),
)
CLASS_ACCURACY = Evaluation(
    name="class-accuracy",
    summary="Clean and robust accuracy class by class, the worst one marked, over the seeds of each recipe",
    params=ClassAccuracyParams,
    load=_class_accuracy,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True, optional=True),
        "data": Port(ArtifactType.DATASET),
    },
    metrics=frozenset(
        {
            "clean_accuracy", "worst_class_accuracy", "robust_accuracy", "worst_class_robust_accuracy",
            "tail_robust_accuracy",
        }
    ),
)  # fmt: skip

SALIENCY = Evaluation(
    name="saliency",
    summary="The gradient of the class score beside the image, and how far they are aligned (Etmann et al. 2019)",
    params=SaliencyParams,
    load=_saliency,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"alignment", "cosine"}),
)

DESCENT_DIRECTIONS = Evaluation(
    name="descent-directions",
    summary="Whether the worst case falls along one maximiser's gradient, and along the shortest combination of many",
    params=DescentDirectionsParams,
    load=_descent_directions,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"single_rises", "shortest_rises", "least_cosine", "single_change", "shortest_change"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (TRAINING_CURVES, CLASS_ACCURACY, SALIENCY, DESCENT_DIRECTIONS)
