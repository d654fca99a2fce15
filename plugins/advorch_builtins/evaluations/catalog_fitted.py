"""Evaluations of perturbations that were fitted beforehand, described; each is in the file of its name."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Params, Port, Positive, Share
from advorch.kit.perturbation.scene import Scene

_PORTS = {
    "models": Port(ArtifactType.MODEL, many=True),
    "perturbations": Port(ArtifactType.PERTURBATION, many=True),
    "data": Port(ArtifactType.DATASET),
}
# Eykholt et al., CVPR 2018, table of the drive-by test: feet, and degrees to the side.
DRIVE_BY = (
    (5, 0), (5, 15), (5, 30), (5, 45), (5, 60), (10, 0), (10, 15), (10, 30), (15, 0), (15, 15), (20, 0), (20, 15),
    (25, 0), (30, 0), (40, 0),
)  # fmt: skip


class FoolingParams(Params):
    """Perturbations on samples that they were not fitted to, on their own net and on others."""

    examples: Annotated[Count, Field(description="samples in each grid of images")] = 8
    labels: Annotated[Count, Field(description="dominant labels in the table")] = 5


class PosesParams(Params):
    """Views that nothing was fitted to."""

    draws: Annotated[Count, Field(description="poses for each sample of the data")] = 3
    scene: Annotated[
        Scene | None, Field(description="how it is seen; by default as it was while it was fitted, from other poses")
    ] = None
    examples: Annotated[Count, Field(description="poses in the grid of images")] = 8


class StationsParams(Params):
    """Eykholt et al. 2018: a drive past the object, seen from exact places."""

    stations: Annotated[
        tuple[tuple[Positive, float], ...], Field(min_length=1, description="distance, and degrees to the side")
    ] = tuple((float(feet), float(degrees)) for feet, degrees in DRIVE_BY)
    unit: Annotated[str, Field(description="what distances are measured in")] = "ft"
    side: Annotated[Positive, Field(description="of the object, in that unit: an American stop sign has 2.5 ft")] = 2.5
    focal: Annotated[
        Positive, Field(description="of the camera, in pixels: an object as far away as it is wide covers so many")
    ] = 400.0
    fill: Annotated[Share, Field(gt=0, description="share of the frame's side that the object is cropped to")] = 0.9


def _fooling() -> EvaluationFn[FoolingParams]:
    from advorch_builtins.evaluations.fooling import Fooling

    return Fooling()


def _poses() -> EvaluationFn[PosesParams]:
    from advorch_builtins.evaluations.poses import PosesEvaluation

    return PosesEvaluation()


def _stations() -> EvaluationFn[StationsParams]:
    from advorch_builtins.evaluations.stations import Stations

    return Stations()


FOOLING = Evaluation(
    name="fooling",
    summary="How often a fitted perturbation changes the label of unseen samples, on its own net and on others",
    params=FoolingParams,
    load=_fooling,
    ports=_PORTS,
    metrics=frozenset({"fooling_rate", "control_rate", "target_rate", "dominant_share"}),
)

POSES = Evaluation(
    name="poses",
    summary="What a net says of a perturbed object from unseen poses, and of the unperturbed one from the same",
    params=PosesParams,
    load=_poses,
    ports=_PORTS,
    metrics=frozenset({"true_share", "target_share", "other_share", "control_share", "blank_share"}),
)

STATIONS = Evaluation(
    name="stations",
    summary="A drive past a perturbed object: the two likeliest classes from every distance and angle of a table",
    params=StationsParams,
    load=_stations,
    ports=_PORTS,
    metrics=frozenset({"success", "photo_success", "fooled", "control_share"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (FOOLING, POSES, STATIONS)
