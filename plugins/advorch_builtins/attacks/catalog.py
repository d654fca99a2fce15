"""The attacks that ship with advorch, described; each is implemented in the file of its name."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import (
    Access,
    Attack,
    AttackFn,
    Components,
    Count,
    Goal,
    Norm,
    Params,
    Positive,
    Share,
    ThreatModel,
    hookimpl,
)

_BALLS = frozenset({Norm.LINF, Norm.L2, Norm.L1})
_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})


class FgsmParams(Params):
    """One step has nothing to set."""


class PgdParams(Params):
    """Projected gradient steps."""

    steps: Annotated[Count, Field(description="gradient steps of each ascent")] = 10
    alpha: Annotated[Positive | None, Field(description="length of a step; by default 2.5 epsilon / steps")] = None
    restarts: Annotated[Count, Field(description="ascents for a sample that withstands")] = 1
    random_start: Annotated[bool, Field(description="begin anywhere in the ball instead of at the sample")] = True
    top: Annotated[Share, Field(description="in l1: the share of the numbers that one step moves")] = 0.01
    precision: Annotated[
        Literal["fp32", "bf16"], Field(description="of the search; what it finds is judged in fp32 either way")
    ] = "fp32"


class UniformNoiseParams(Params):
    """How often to draw."""

    draws: Annotated[Count, Field(description="points drawn for a sample that withstands")] = 10


class SignNoiseParams(Params):
    """How often to draw."""

    draws: Annotated[Count, Field(description="corners drawn for a sample that withstands")] = 10


def _fgsm() -> AttackFn[FgsmParams]:
    from advorch_builtins.attacks.fgsm import perturb

    return perturb


def _pgd() -> AttackFn[PgdParams]:
    from advorch_builtins.attacks.pgd import perturb

    return perturb


def _uniform_noise() -> AttackFn[UniformNoiseParams]:
    from advorch_builtins.attacks.uniform_noise import perturb

    return perturb


def _sign_noise() -> AttackFn[SignNoiseParams]:
    from advorch_builtins.attacks.sign_noise import perturb

    return perturb


FGSM = Attack(
    name="fgsm",
    summary="one gradient step to the edge of the ball",
    params=FgsmParams,
    load=_fgsm,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS),
)

PGD = Attack(
    name="pgd",
    summary="projected gradient ascent from random starts",
    params=PgdParams,
    load=_pgd,
    pooled=True,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

UNIFORM_NOISE = Attack(
    name="uniform-noise",
    summary="the first of several uniform draws that fools: the control of every gradient attack",
    params=UniformNoiseParams,
    load=_uniform_noise,
    threat=ThreatModel(access=Access.LABELS, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

SIGN_NOISE = Attack(
    name="sign-noise",
    summary="the first of several random corners of the linf ball that fools",
    params=SignNoiseParams,
    load=_sign_noise,
    threat=ThreatModel(access=Access.LABELS, norms=frozenset({Norm.LINF}), goals=_BOTH_GOALS, stochastic=True),
)


@hookimpl
def advorch_components() -> Components:
    """Everything that this plugin contributes, catalog by catalog."""
    from advorch_builtins.attacks import (
        catalog_black_box,
        catalog_controls,
        catalog_ensemble,
        catalog_fitted,
        catalog_fixed,
        catalog_geometric,
        catalog_minimal,
        catalog_smallest,
        catalog_transfer,
    )

    own = (FGSM, PGD, UNIFORM_NOISE, SIGN_NOISE)
    others = (
        catalog_fixed,
        catalog_minimal,
        catalog_smallest,
        catalog_black_box,
        catalog_transfer,
        catalog_geometric,
        catalog_controls,
        catalog_fitted,
        catalog_ensemble,
    )
    return (*own, *(component for catalog in others for component in catalog.COMPONENTS))
