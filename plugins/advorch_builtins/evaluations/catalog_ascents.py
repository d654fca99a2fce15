"""Evaluations of how attacks climb, described."""

from typing import Annotated

from pydantic import ConfigDict, Field

from advorch.api import (
    AnyComponent,
    AttackRef,
    Count,
    Evaluation,
    EvaluationFn,
    Params,
    Positive,
)
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class DescentParams(Params):
    """Attacks followed step by step."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"attacks": [{"uses": "fgsm", "with": {"epsilon": 0.1}}], "length": 3}]}
    )

    attacks: Annotated[tuple[AttackRef, ...], Field(min_length=1, description="each is followed to its end")]
    length: Annotated[Count, Field(description="the last step that is recorded; who ends earlier stays there")] = 100
    every: Annotated[Count, Field(description="steps between two rows of the table")] = 5
    target: Annotated[
        str, Field(description="class that targeted attacks aim at; by default each sample draws one")
    ] = ""
    shown: Annotated[Count, Field(description="samples in the pictures and in the table of probabilities")] = 3
    zoom: Annotated[Positive, Field(description="what a perturbation is multiplied with in the pictures")] = 50.0
    top: Annotated[Count, Field(description="classes in the table of probabilities")] = 3


class OneStepParams(Params):
    """One gradient step of growing length beside the step that it becomes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "attack": {"uses": "proximal", "with": {"epsilon": 0.1, "steps": 1}},
                    "against": {"uses": "fgsm", "with": {"epsilon": 0.1}},
                    "alphas": [0.1, 10.0, 1000.0],
                }
            ]
        }
    )

    attack: Annotated[AttackRef, Field(description="one step in linf whose length is its `alpha`")]
    against: Annotated[AttackRef, Field(description="attack that it is compared with, number by number")]
    alphas: Annotated[
        tuple[Positive, ...], Field(min_length=2, description="what the gradient is multiplied with, growing")
    ] = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)


def _descent() -> EvaluationFn[DescentParams]:
    from advorch_builtins.evaluations.descent import Descent

    return Descent()


def _one_step() -> EvaluationFn[OneStepParams]:
    from advorch_builtins.evaluations.one_step import OneStep

    return OneStep()


DESCENT = Evaluation(
    name="descent",
    summary="Loss and accuracy along attacks, step by step, and where they end",
    params=DescentParams,
    load=_descent,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"loss", "accuracy", "robust_accuracy", "probability"}),
)
ONE_STEP = Evaluation(
    name="one-step",
    summary="How one gradient step becomes the step of its sign as it grows, number by number",
    params=OneStepParams,
    load=_one_step,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"equal_share", "predicted_share"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (DESCENT, ONE_STEP)
