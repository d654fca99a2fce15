"""Attacks that are made on other models than the one under attack, described; each is in the file of its name."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    Access,
    AnyComponent,
    Attack,
    AttackFn,
    Count,
    Goal,
    NonNegative,
    Norm,
    Params,
    Positive,
    ThreatModel,
)


class EnsembleParams(Params):
    """Adam on the image, against all surrogates at once."""

    steps: Annotated[Count, Field(description="steps of Adam")] = 100
    lr: Annotated[Positive, Field(description="how far a step moves a number, about, in the data's own units")] = 0.02
    lambda_: Annotated[
        NonNegative, Field(alias="lambda", description="weight of the root mean square of the change")
    ] = 0.1
    weights: Annotated[
        tuple[Positive, ...], Field(description="of the surrogates, in the order of the port; by default all equal")
    ] = ()


def _ensemble() -> AttackFn[EnsembleParams]:
    from advorch_builtins.attacks.ensemble import perturb

    return perturb


ENSEMBLE = Attack(
    name="ensemble",
    summary="the mean probability of surrogates driven down, or that of a target up, by Adam with a price on distance",
    params=EnsembleParams,
    load=_ensemble,
    threat=ThreatModel(
        access=Access.NOTHING,
        norms=frozenset({Norm.UNBOUNDED, Norm.LINF, Norm.L2}),
        goals=frozenset({Goal.UNTARGETED, Goal.TARGETED}),
    ),
    surrogates=True,
)

COMPONENTS: tuple[AnyComponent, ...] = (ENSEMBLE,)
