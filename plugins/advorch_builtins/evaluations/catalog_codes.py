"""Evaluations of autoencoders by their codes, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Params, Port

_PORTS = {"generators": Port(ArtifactType.GENERATOR, many=True), "data": Port(ArtifactType.DATASET)}


class CodesParams(Params):
    """Where samples lie among the codes."""

    prior: Annotated[Count, Field(description="draws from the prior that codes are compared with")] = 1000


class StylesParams(Params):
    """Styles and classes, apart from each other."""

    rows: Annotated[Count, Field(description="styles in the figure, those of the first samples")] = 8
    samples: Annotated[Count, Field(description="samples that are decoded under every class")] = 200


def _codes() -> EvaluationFn[CodesParams]:
    from advorch_builtins.evaluations.codes import Codes

    return Codes()


def _styles() -> EvaluationFn[StylesParams]:
    from advorch_builtins.evaluations.styles import Styles

    return Styles()


COMPONENTS: tuple[AnyComponent, ...] = (
    Evaluation(
        name="codes",
        summary="Codes of held-out data against their prior, what can be read off them, and the error of classifying",
        params=CodesParams,
        load=_codes,
        ports=_PORTS,
        metrics=frozenset({"same_law", "energy", "probe", "nearest_class", "reconstruction_error", "error"}),
    ),
    Evaluation(
        name="styles",
        summary="One style under every class: the sheet, and whether a classifier sees the class that was asked for",
        params=StylesParams,
        load=_styles,
        ports={**_PORTS, "models": Port(ArtifactType.MODEL, many=True)},
        metrics=frozenset({"agreement", "probe", "majority"}),
    ),
)
