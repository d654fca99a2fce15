"""APGD with its three losses, described; implemented in apgd.py."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import Access, AnyComponent, Attack, AttackFn, Count, Goal, Norm, Params, ThreatModel

_BALLS = frozenset({Norm.LINF, Norm.L2, Norm.L1})
_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})


class ApgdParams(Params):
    """Projected gradient ascent that sets its own steps."""

    steps: Annotated[Count, Field(description="gradient steps of each ascent")] = 100
    restarts: Annotated[Count, Field(description="ascents for a sample that withstands")] = 1
    draws: Annotated[Count, Field(description="gradients in one mean, for a model that draws")] = 1
    precision: Annotated[
        Literal["fp32", "bf16"], Field(description="of the search; what it finds is judged in fp32 either way")
    ] = "fp32"


class ApgdTargetedParams(ApgdParams):
    """The same towards one class after the other."""

    targets: Annotated[Count, Field(description="classes to try, the likeliest first")] = 9


def _ce() -> AttackFn[ApgdParams]:
    from advorch_builtins.attacks.apgd import perturb_ce

    return perturb_ce


def _dlr() -> AttackFn[ApgdParams]:
    from advorch_builtins.attacks.apgd import perturb_dlr

    return perturb_dlr


def _targeted() -> AttackFn[ApgdTargetedParams]:
    from advorch_builtins.attacks.apgd import perturb_towards

    return perturb_towards


APGD_CE = Attack(
    name="apgd-ce",
    summary="APGD on the cross-entropy: steps that set their own length",
    params=ApgdParams,
    load=_ce,
    pooled=True,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

APGD_DLR = Attack(
    name="apgd-dlr",
    summary="APGD on the ratio of logit differences, blind to their scale; with two classes, on the margin",
    params=ApgdParams,
    load=_dlr,
    pooled=True,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, stochastic=True),
)

APGD_T = Attack(
    name="apgd-t",
    summary="APGD on the targeted ratio, towards each of the likeliest classes; under four classes, on the difference",
    params=ApgdTargetedParams,
    load=_targeted,
    pooled=True,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, stochastic=True),
)

COMPONENTS: tuple[AnyComponent, ...] = (APGD_CE, APGD_DLR, APGD_T)
