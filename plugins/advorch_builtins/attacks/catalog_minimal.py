"""Attacks that look for the smallest perturbation, described; each is implemented in the file of its name."""

from typing import Annotated

from pydantic import Field

from advorch.api import (
    Access,
    AnyComponent,
    Attack,
    AttackFn,
    Budget,
    Count,
    Goal,
    NonNegative,
    Norm,
    Params,
    Positive,
    Share,
    ThreatModel,
)

_BALLS = frozenset({Norm.LINF, Norm.L2, Norm.L1})
_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})


class DeepFoolParams(Params):
    """Steps over linearised boundaries."""

    steps: Annotated[Count, Field(description="boundaries crossed at most")] = 50
    classes: Annotated[int, Field(ge=2, description="likeliest classes looked at, the label counted")] = 10
    overshoot: Annotated[NonNegative, Field(description="how much further than the boundary, as a share")] = 0.02


class DdnParams(Params):
    """A direction, and a radius that follows the boundary."""

    steps: Annotated[Count, Field(description="gradient steps")] = 100
    alpha: Annotated[Positive, Field(description="length of the first step; the last is a hundredth of it")] = 1.0
    gamma: Annotated[Share, Field(description="how much the radius changes in a step")] = 0.05
    radius: Annotated[Positive | None, Field(description="the first radius; by default the linearised distance")] = None


class FmnParams(Params):
    """Steps in a ball that closes in on the boundary."""

    steps: Annotated[Count, Field(description="gradient steps")] = 100
    alpha: Annotated[Positive, Field(description="length of the first step; the last is a hundredth of it")] = 1.0
    gamma: Annotated[Share, Field(description="how much the radius changes in the first step")] = 0.05


def _deepfool() -> AttackFn[DeepFoolParams]:
    from advorch_builtins.attacks.deepfool import perturb

    return perturb


def _ddn() -> AttackFn[DdnParams]:
    from advorch_builtins.attacks.ddn import perturb

    return perturb


def _fmn() -> AttackFn[FmnParams]:
    from advorch_builtins.attacks.fmn import perturb

    return perturb


DEEPFOOL = Attack(
    name="deepfool",
    summary="steps onto the nearest linearised class boundary until the label changes",
    params=DeepFoolParams,
    load=_deepfool,
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.LINF, Norm.L2}), budget=Budget.MINIMAL),
)

DDN = Attack(
    name="ddn",
    summary="smallest l2 perturbation: direction by gradient, radius by success",
    params=DdnParams,
    load=_ddn,
    threat=ThreatModel(
        access=Access.GRADIENTS, norms=frozenset({Norm.L2}), goals=_BOTH_GOALS, budget=Budget.MINIMAL
    ),
)

FMN = Attack(
    name="fmn",
    summary="smallest linf, l2 or l1 perturbation inside a ball that closes in on the boundary",
    params=FmnParams,
    load=_fmn,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, budget=Budget.MINIMAL),
)

COMPONENTS: tuple[AnyComponent, ...] = (DEEPFOOL, DDN, FMN)
