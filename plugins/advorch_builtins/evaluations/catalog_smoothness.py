"""Evaluations of how a way of training does over many draws, and of what its models say in the plane of the data."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Params, Port, Positive
from advorch_builtins.evaluations.catalog_transfer import NAMES
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class RecipesParams(Params):
    """Models of several recipes; each recipe has as many, and one of each belong to the same draw."""

    names: Annotated[
        tuple[str, ...],
        Field(description="what to call the recipes, each an equal part of the port's models; default: their labels"),
    ] = ()
    epsilon: Annotated[
        Positive | None, Field(description="measure the smoothness too, at perturbations of this length in l2")
    ] = None
    power_iterations: Annotated[Count, Field(description="of the search for the worst perturbation")] = 5
    curves: Annotated[
        tuple[str, ...], Field(description="numbers that the trainings recorded, drawn over their epochs")
    ] = ()


class PlaneParams(Params):
    """What models say on the plane in which the data lie."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()
    label: Annotated[int, Field(ge=0, description="the class whose probability is drawn, counted from 0")] = 1
    points: Annotated[Count, Field(ge=3, le=401, description="of the grid, along each axis")] = 101
    margin: Annotated[
        Positive, Field(description="how far the grid goes beyond the data, as a share of their width")
    ] = 0.25


class LossSurfaceParams(Params):
    """The loss where weights are moved along two random directions."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()
    reach: Annotated[Positive, Field(description="half the side; at one each filter is moved by its own length")] = 1.0
    points: Annotated[Count, Field(ge=3, le=101, description="along each axis, the model in the middle; odd")] = 15


def _recipes() -> EvaluationFn[RecipesParams]:
    from advorch_builtins.evaluations.recipes import Recipes

    return Recipes()


def _plane() -> EvaluationFn[PlaneParams]:
    from advorch_builtins.evaluations.plane import Plane

    return Plane()


def _loss_surface() -> EvaluationFn[LossSurfaceParams]:
    from advorch_builtins.evaluations.loss_surface import LossSurface

    return LossSurface()


RECIPES = Evaluation(
    name="recipes",
    summary="Error and smoothness of several recipes over draws of data and seeds, and draw by draw against the best",
    params=RecipesParams,
    load=_recipes,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"error", "lds"}),
)
PLANE = Evaluation(
    name="plane",
    summary="A class's probability on the plane of the data's two main directions, with the training points on it",
    params=PlaneParams,
    load=_plane,
    ports={**MODELS_AND_DATA, "train": Port(ArtifactType.DATASET, optional=True)},
    metrics=frozenset({"error", "inside"}),
)
LOSS_SURFACE = Evaluation(
    name="loss-surface",
    summary="The loss over the weights, along two random directions as long as each filter (Li 2018), and the error",
    params=LossSurfaceParams,
    load=_loss_surface,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"error", "loss", "rise"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (RECIPES, PLANE, LOSS_SURFACE)
