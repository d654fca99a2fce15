"""Models that refuse to answer, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Evaluation, EvaluationFn, Params, Port, Share
from advorch_builtins.evaluations.catalog_transfer import NAMES


class DetectionParams(Params):
    """What is told apart, at how many false alarms."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()
    alarms: Annotated[
        tuple[Share, ...], Field(min_length=1, description="shares of clean samples that may be refused")
    ] = (0.01, 0.05)


def _detection() -> EvaluationFn[DetectionParams]:
    from advorch_builtins.evaluations.detection import Detection

    return Detection()


DETECTION = Evaluation(
    name="detection",
    summary="How well models that refuse tell adversarial samples from clean ones, of attacks that know of it or not",
    params=DetectionParams,
    load=_detection,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True),
        "data": Port(ArtifactType.DATASET),
    },
    refusals=True,
    metrics=frozenset({"clean_accuracy", "false_alarms", "auroc", "evaded", "auroc_adaptive", "evaded_adaptive"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (DETECTION,)
