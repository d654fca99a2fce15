"""Attacks that look for the smallest perturbation, described; each is implemented in the file of its name."""

from typing import Annotated, Literal

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


class CwParams(Params):
    """Adam in tanh space, for several constants."""

    steps: Annotated[Count, Field(description="steps of Adam for each constant")] = 200
    searches: Annotated[Count, Field(description="constants tried for each sample")] = 9
    constant: Annotated[Positive, Field(description="the first constant")] = 1.0
    lr: Annotated[Positive, Field(description="first learning rate of Adam, the last is a hundredth of it")] = 0.05
    confidence: Annotated[NonNegative, Field(description="lead in logits that an adversarial must have")] = 0.0


class LbfgsParams(Params):
    """Box-constrained L-BFGS, for several constants."""

    steps: Annotated[Count, Field(description="evaluations for each constant")] = 30
    searches: Annotated[Count, Field(description="constants tried for each sample")] = 10
    constant: Annotated[Positive, Field(description="the first constant")] = 1.0


class FabSettings(Params):
    """Steps between the sample and the boundary."""

    steps: Annotated[Count, Field(description="linearised boundaries for each start")] = 100
    restarts: Annotated[Count, Field(description="starts, the first of them the sample itself")] = 1
    eta: Annotated[float, Field(ge=1, description="how far beyond a boundary to step")] = 1.05
    beta: Annotated[Share, Field(description="how much of its way a point that fools keeps")] = 0.9
    precision: Annotated[
        Literal["fp32", "bf16"], Field(description="of what lies beyond a given epsilon; all else is in fp32")
    ] = "fp32"


class FabParams(FabSettings):
    """Against all boundaries at once."""

    classes: Annotated[int, Field(ge=2, description="likeliest classes looked at, the label counted")] = 10


class FabTParams(FabSettings):
    """Against one boundary after the other."""

    targets: Annotated[Count, Field(description="likeliest wrong classes tried")] = 9


def _cw() -> AttackFn[CwParams]:
    from advorch_builtins.attacks.cw import perturb

    return perturb


def _lbfgs() -> AttackFn[LbfgsParams]:
    from advorch_builtins.attacks.lbfgs import perturb

    return perturb


def _fab() -> AttackFn[FabParams]:
    from advorch_builtins.attacks.fab import perturb

    return perturb


def _fab_t() -> AttackFn[FabTParams]:
    from advorch_builtins.attacks.fab_t import perturb

    return perturb


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
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.L2}), goals=_BOTH_GOALS, budget=Budget.MINIMAL),
)

FMN = Attack(
    name="fmn",
    summary="smallest linf, l2 or l1 perturbation inside a ball that closes in on the boundary",
    params=FmnParams,
    load=_fmn,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, budget=Budget.MINIMAL),
)

CW = Attack(
    name="cw",
    summary="smallest l2 perturbation by Adam in tanh space, the constant searched for each sample",
    params=CwParams,
    load=_cw,
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.L2}), goals=_BOTH_GOALS, budget=Budget.MINIMAL),
)

LBFGS = Attack(
    name="lbfgs",
    summary="smallest l2 perturbation by box-constrained L-BFGS, the constant searched for each sample",
    params=LbfgsParams,
    load=_lbfgs,
    threat=ThreatModel(access=Access.GRADIENTS, norms=frozenset({Norm.L2}), goals=_BOTH_GOALS, budget=Budget.MINIMAL),
)

FAB = Attack(
    name="fab",
    summary="smallest linf, l2 or l1 perturbation by steps onto linearised boundaries, drawn back to the sample",
    params=FabParams,
    load=_fab,
    threat=ThreatModel(
        access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, budget=Budget.MINIMAL, stochastic=True
    ),
)

FAB_T = Attack(
    name="fab-t",
    summary="FAB against one likely class after the other",
    params=FabTParams,
    load=_fab_t,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, budget=Budget.MINIMAL, stochastic=True),
)

COMPONENTS: tuple[AnyComponent, ...] = (DEEPFOOL, CW, LBFGS, DDN, FMN, FAB, FAB_T)
