"""Generators of mixtures side by side, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Params, Port


class CollapseParams(Params):
    """What is drawn from every generator at the end."""

    samples: Annotated[Count, Field(description="on which modes are counted")] = 2500
    transport: Annotated[Count, Field(description="samples on either side of the exact Wasserstein distance")] = 1000


def _collapse() -> EvaluationFn[CollapseParams]:
    from advorch_builtins.evaluations.collapse import Collapse

    return Collapse()


COMPONENTS: tuple[AnyComponent, ...] = (
    Evaluation(
        name="collapse",
        summary="Which modes of a mixture several generators cover, at the end and over the course of their games",
        params=CollapseParams,
        load=_collapse,
        ports={"generators": Port(ArtifactType.GENERATOR, many=True), "data": Port(ArtifactType.DATASET)},
        metrics=frozenset({"modes", "quality", "divergence", "w1", "w1_floor"}),
    ),
)
