"""Evaluations that measure attacks themselves, described."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Norm, Params, Port, Positive, Share
from advorch_builtins.evaluations.ports import MODELS_AND_DATA

MEASURED = frozenset(
    {"clean_accuracy", "robust_accuracy", "relative_size", "advantage", "advantage_low", "advantage_high"}
)

LANDSCAPE = frozenset({"fooled", "fooling_poses", "maxima", "trapped"})
RESTARTED = frozenset({"loss_mean", "loss_deviation", "loss_range", "distinct", "angle", "distance", "plateau"})


class AttackCostsParams(Params):
    """What to measure of every attack."""

    measure: Annotated[
        Norm | None, Field(description="norm that perturbations are measured in; by default each attack's own")
    ] = None
    timed: Annotated[
        int,
        Field(
            ge=0, description="samples on which each attack is run again to be timed, so that times of one run differ"
        ),
    ] = 0
    together: Annotated[Count, Field(description="samples in one timed batch")] = 1
    versus: Annotated[
        tuple[str, str] | None,
        Field(description="two attacks by name: by how much the first fools more than the second, with an interval"),
    ] = None


class PoseLandscapeParams(Params):
    """The poses that are looked at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"angles": 5, "places": 3, "examples": 1}]})

    degrees: Annotated[float, Field(gt=0, le=180, description="the largest angle, to either side")] = 30.0
    shift: Annotated[Share, Field(description="the largest translation along each axis, as a share of the side")] = 0.1
    padding: Annotated[
        Literal["black", "reflect"],
        Field(description="what comes in from outside: the lowest legal value, or the picture mirrored at its edge"),
    ] = "black"
    angles: Annotated[int, Field(ge=3, description="angles, from one end to the other; odd")] = 31
    places: Annotated[int, Field(ge=3, description="translations along each axis, from one end to the other; odd")] = 7
    examples: Annotated[Count, Field(description="samples whose landscape is drawn")] = 3

    @field_validator("angles", "places")
    @classmethod
    def _with_a_middle(cls, count: int) -> int:
        if count % 2 == 0:
            raise ValueError("must be odd, so that the untouched picture is one of the poses")
        return count


class RestartsParams(Params):
    """Many ascents from random starts in one ball."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"restarts": 4, "steps": 10, "maxima": 3, "curves": 3, "examples": 1}]}
    )

    epsilon: Annotated[Positive, Field(description="size of the ball, in the data's own units")] = 0.3
    norm: Annotated[Literal["linf", "l2"], Field(description="how a perturbation is measured")] = "linf"
    steps: Annotated[Count, Field(description="gradient steps at most")] = 100
    alpha: Annotated[Positive | None, Field(description="length of a step; by default a twentieth of epsilon")] = None
    restarts: Annotated[int, Field(ge=2, description="ascents for each sample")] = 1000
    curves: Annotated[Count, Field(description="ascents whose losses are kept and drawn")] = 20
    maxima: Annotated[int, Field(ge=2, description="end points that are compared with each other, at most")] = 10
    patience: Annotated[Count, Field(description="steps without a gain after which an ascent is on its plateau")] = 10
    tolerance: Annotated[Share, Field(description="what counts as a gain, as a share of the loss")] = 0.001
    batch: Annotated[Count, Field(description="ascents computed together")] = 250
    examples: Annotated[Count, Field(description="samples that are drawn")] = 5


def _attack_costs() -> EvaluationFn[AttackCostsParams]:
    from advorch_builtins.evaluations.attack_costs import AttackCosts

    return AttackCosts()


def _pose_landscape() -> EvaluationFn[PoseLandscapeParams]:
    from advorch_builtins.evaluations.pose_landscape import PoseLandscape

    return PoseLandscape()


def _restarts() -> EvaluationFn[RestartsParams]:
    from advorch_builtins.evaluations.restarts import Restarts

    return Restarts()


ATTACK_COSTS = Evaluation(
    name="attack-costs",
    summary="Every attack in one table: what it leaves right, how far it goes, what it asks and how long it takes",
    params=AttackCostsParams,
    load=_attack_costs,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True),
        "data": Port(ArtifactType.DATASET),
    },
    metrics=MEASURED,
)

POSE_LANDSCAPE = Evaluation(
    name="pose-landscape",
    summary="The loss over all rotations and translations of single images, and how many maxima it has",
    params=PoseLandscapeParams,
    load=_pose_landscape,
    ports=MODELS_AND_DATA,
    metrics=LANDSCAPE,
)

RESTARTS = Evaluation(
    name="restarts",
    summary="Where many ascents from random starts end: their losses, and whether the maxima are the same",
    params=RestartsParams,
    load=_restarts,
    ports=MODELS_AND_DATA,
    metrics=RESTARTED,
)

COMPONENTS: tuple[AnyComponent, ...] = (ATTACK_COSTS, POSE_LANDSCAPE, RESTARTS)
