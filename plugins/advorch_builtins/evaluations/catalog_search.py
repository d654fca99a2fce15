"""The evaluation of a search, described."""

from typing import Annotated

from pydantic import ConfigDict, Field

from advorch.api import AnyComponent, ArtifactType, Evaluation, EvaluationFn, Params, Port


class SearchParams(Params):
    """What a sweep tried and found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"against": ["probe.clean_accuracy"]}]})

    against: Annotated[
        tuple[str, ...],
        Field(
            description="metrics that the first objective is drawn against; by default the other objectives, those of "
            "constraints, and the clean accuracy beside a robust one"
        ),
    ] = ()


def _search() -> EvaluationFn[SearchParams]:
    from advorch_builtins.evaluations.search import Search

    return Search()


SEARCH = Evaluation(
    name="search",
    summary="What a sweep tried, which of its dimensions mattered, what its winners cost elsewhere, and how it went",
    params=SearchParams,
    load=_search,
    ports={"trials": Port(ArtifactType.TABLE)},
    metrics=frozenset({"trials", "done", "pruned", "failed", "best"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (SEARCH,)
