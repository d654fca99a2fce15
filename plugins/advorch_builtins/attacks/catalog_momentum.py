"""Attacks that keep a momentum, made to transfer, described; each is implemented in the file of its name."""

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
    Share,
    ThreatModel,
)

_NORMS = frozenset({Norm.LINF, Norm.L2})
_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})


class MimParams(Params):
    """Gradient steps with momentum."""

    steps: Annotated[Count, Field(description="gradient steps")] = 10
    alpha: Annotated[Positive | None, Field(description="length of a step; by default epsilon / steps")] = None
    decay: Annotated[NonNegative, Field(description="what remains of the sum of gradients at each step")] = 1.0


class NimParams(MimParams):
    """The same, looking ahead."""


class DimParams(MimParams):
    """The same on changed images."""

    least: Annotated[Share, Field(gt=0, description="smallest image, as a share of its size")] = 0.9
    probability: Annotated[Share, Field(description="how often an image is changed")] = 0.5


class TimParams(MimParams):
    """The same with smooth gradients."""

    reach: Annotated[Count, Field(description="pixels that a pixel is mixed with on each side; 7 in the paper")] = 3


def _mim() -> AttackFn[MimParams]:
    from advorch_builtins.attacks.mim import perturb

    return perturb


def _nim() -> AttackFn[NimParams]:
    from advorch_builtins.attacks.nim import perturb

    return perturb


def _dim() -> AttackFn[DimParams]:
    from advorch_builtins.attacks.dim import perturb

    return perturb


def _tim() -> AttackFn[TimParams]:
    from advorch_builtins.attacks.tim import perturb

    return perturb


MIM = Attack(
    name="mim",
    summary="gradient ascent with momentum over gradients of equal length",
    params=MimParams,
    load=_mim,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_NORMS, goals=_BOTH_GOALS),
)

NIM = Attack(
    name="nim",
    summary="momentum whose gradient is taken where it leads (Nesterov)",
    params=NimParams,
    load=_nim,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_NORMS, goals=_BOTH_GOALS),
)

DIM = Attack(
    name="dim",
    summary="momentum over gradients of images resized and padded at random",
    params=DimParams,
    load=_dim,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_NORMS, goals=_BOTH_GOALS, stochastic=True),
)

TIM = Attack(
    name="tim",
    summary="momentum over gradients smoothed by a kernel, as if the image had been shifted about",
    params=TimParams,
    load=_tim,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_NORMS, goals=_BOTH_GOALS),
)

COMPONENTS: tuple[AnyComponent, ...] = (MIM, NIM, DIM, TIM)
