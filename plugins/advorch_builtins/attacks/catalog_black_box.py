"""Attacks that see scores, labels or other models, described; each is implemented in the file of its name."""

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
    Norm,
    Params,
    Positive,
    Share,
    ThreatModel,
)

_BOTH_GOALS = frozenset({Goal.UNTARGETED, Goal.TARGETED})
_BALLS = frozenset({Norm.LINF, Norm.L2, Norm.L1})
_LINF_AND_L2 = frozenset({Norm.LINF, Norm.L2})


class SquareParams(Params):
    """Random search over squares."""

    queries: Annotated[Count, Field(description="questions to the model for a sample that withstands")] = 5000
    share: Annotated[Share, Field(gt=0, description="of the image that the first squares cover")] = 0.8
    horizon: Annotated[
        Count | None, Field(description="queries that the schedule of the sizes spans; by default all that there are")
    ] = None
    precision: Annotated[
        Literal["fp32", "bf16"], Field(description="of the search; what it finds is judged in fp32 either way")
    ] = "fp32"


class SpsaParams(Params):
    """Ascent along differences of scores."""

    steps: Annotated[Count, Field(description="estimated gradients of each ascent")] = 20
    pairs: Annotated[Count, Field(description="pairs of questions for one gradient")] = 64
    sigma: Annotated[Positive, Field(description="distance of the questions from the point, a number")] = 0.01
    alpha: Annotated[Positive | None, Field(description="length of a step; by default 2.5 epsilon / steps")] = None
    restarts: Annotated[Count, Field(description="ascents for a sample that withstands, with other questions")] = 1


class NesParams(SpsaParams):
    """The same with normal directions."""

    sigma: Annotated[Positive, Field(description="standard deviation of the questions around the point")] = 0.001


class BoundaryParams(Params):
    """A walk along the boundary."""

    steps: Annotated[Count, Field(description="steps of the walk, a question or two each")] = 2000
    draws: Annotated[Count, Field(description="points tried for one to begin at: candidates, else noise")] = 100
    sphere: Annotated[Positive, Field(description="first length of the steps aside, over the distance")] = 0.01
    inward: Annotated[Positive, Field(lt=1, description="first length of the steps inward, over the distance")] = 0.01


class HopSkipJumpParams(Params):
    """Jumps along the boundary's normal."""

    steps: Annotated[Count, Field(description="iterations")] = 20
    draws: Annotated[Count, Field(description="questions about the normal in the first iteration")] = 100
    starts: Annotated[Count, Field(description="points tried for one to begin at: candidates, else noise")] = 100


class TransferParams(Params):
    """Momentum ascent on surrogates."""

    steps: Annotated[Count, Field(description="gradient steps on the surrogates")] = 20
    alpha: Annotated[Positive | None, Field(description="length of a step; by default 1.25 epsilon / steps")] = None
    decay: Annotated[Share, Field(description="how much of the accumulated gradient a step keeps")] = 1.0


def _square() -> AttackFn[SquareParams]:
    from advorch_builtins.attacks.square import perturb

    return perturb


def _spsa() -> AttackFn[SpsaParams]:
    from advorch_builtins.attacks.spsa import perturb

    return perturb


def _nes() -> AttackFn[NesParams]:
    from advorch_builtins.attacks.nes import perturb

    return perturb


def _boundary() -> AttackFn[BoundaryParams]:
    from advorch_builtins.attacks.boundary import perturb

    return perturb


def _hopskipjump() -> AttackFn[HopSkipJumpParams]:
    from advorch_builtins.attacks.hopskipjump import perturb

    return perturb


def _transfer() -> AttackFn[TransferParams]:
    from advorch_builtins.attacks.transfer import perturb

    return perturb


SQUARE = Attack(
    name="square",
    summary="random squares at the edge of the ball, kept where the margin falls",
    params=SquareParams,
    load=_square,
    threat=ThreatModel(access=Access.SCORES, norms=_BALLS, goals=_BOTH_GOALS, stochastic=True),
)

SPSA = Attack(
    name="spsa",
    summary="Adam along differences of scores at random corners around the point",
    params=SpsaParams,
    load=_spsa,
    threat=ThreatModel(access=Access.SCORES, norms=frozenset({Norm.LINF}), goals=_BOTH_GOALS, stochastic=True),
)

NES = Attack(
    name="nes",
    summary="projected ascent along differences of scores in normal directions",
    params=NesParams,
    load=_nes,
    threat=ThreatModel(access=Access.SCORES, norms=_LINF_AND_L2, goals=_BOTH_GOALS, stochastic=True),
)

BOUNDARY = Attack(
    name="boundary",
    summary="a random walk along the boundary towards the sample, from labels alone",
    params=BoundaryParams,
    load=_boundary,
    threat=ThreatModel(
        access=Access.LABELS, norms=frozenset({Norm.L2}), goals=_BOTH_GOALS, budget=Budget.MINIMAL, stochastic=True
    ),
    candidates=True,
)

HOPSKIPJUMP = Attack(
    name="hopskipjump",
    summary="jumps along the boundary's normal, estimated from labels alone",
    params=HopSkipJumpParams,
    load=_hopskipjump,
    threat=ThreatModel(
        access=Access.LABELS, norms=_LINF_AND_L2, goals=_BOTH_GOALS, budget=Budget.MINIMAL, stochastic=True
    ),
    candidates=True,
)

TRANSFER = Attack(
    name="transfer",
    summary="crafted on one surrogate or an ensemble of them, without a question to the victim",
    params=TransferParams,
    load=_transfer,
    threat=ThreatModel(access=Access.NOTHING, norms=frozenset({Norm.LINF, Norm.L2, Norm.L1}), goals=_BOTH_GOALS),
    surrogates=True,
)

COMPONENTS: tuple[AnyComponent, ...] = (SQUARE, SPSA, NES, BOUNDARY, HOPSKIPJUMP, TRANSFER)
