"""Stability training, described."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AnyComponent, NonNegative, Objective, ObjectiveFn, Params, Positive


class StabilityParams(Params):
    """Zheng et al. 2016; with lambda 6 and size 0.25 Carmon et al. 2019, for smoothed classifiers."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight of the divergence")] = 0.01
    law: Annotated[
        Literal["uniform", "sign", "gaussian"],
        Field(description="even in [-size, size], at its ends, or normal with that deviation"),
    ] = "gaussian"
    size: Annotated[
        Positive,
        Field(
            description="of the noise in each value, in the data's own units; on weights, a share of the root mean "
            "square of their tensor"
        ),
    ] = 0.2
    of: Annotated[Literal["samples", "weights"], Field(description="what the noise is added to")] = "samples"
    detach: Annotated[
        bool, Field(description="take the clean prediction for a constant, towards which the other is drawn")
    ] = False


def _stability() -> ObjectiveFn[StabilityParams]:
    from advorch_builtins.training.stability import loss

    return loss


STABILITY = Objective(
    name="stability",
    summary="plain training, and lambda KL between the predictions with and without noise on samples or weights",
    params=StabilityParams,
    load=_stability,
)

COMPONENTS: tuple[AnyComponent, ...] = (STABILITY,)
