"""Evaluations that look at models along lines and planes through samples, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, Evaluation, EvaluationFn, Params, Positive
from advorch_builtins.evaluations.catalog_transfer import NAMES
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class DecisionRegionsParams(Params):
    """A plane through each sample, the same for all models."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()
    source: Annotated[Count, Field(description="the model whose gradient is the first axis, counted from 1")] = 1
    reach: Annotated[
        Positive, Field(description="half the side, as the root mean square change in values of an 8-bit pixel")
    ] = 60.0
    points: Annotated[Count, Field(ge=3, le=401, description="along each axis, the sample in the middle")] = 81


def _decision_regions() -> EvaluationFn[DecisionRegionsParams]:
    from advorch_builtins.evaluations.decision_regions import DecisionRegions

    return DecisionRegions()


DECISION_REGIONS = Evaluation(
    name="decision-regions",
    summary="What several models say on one plane through a sample: along a gradient, and along a random direction",
    params=DecisionRegionsParams,
    load=_decision_regions,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"agreement", "gradient_distance", "random_distance"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (DECISION_REGIONS,)
